"""Files in a folder of this machine, with links that are signed and expire."""

import asyncio
import hashlib
import hmac
import mimetypes
import os
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlencode

from core.clock import Clock
from core.errors import InvalidInput, NotFound, NotPermitted, Unavailable
from core.ports import SignedFile

_PIECE_BYTES = 256 * 1024
_UNKNOWN = "application/octet-stream"


class LocalObjectStore:
    """The object store of one machine. Whoever holds a link gets its file until the link expires."""

    def __init__(self, folder: Path, *, links_url: str, clock: Clock) -> None:
        """Keep files under ``folder``; links begin with ``links_url``, where ``deployments.files`` answers."""
        self._folder = folder.absolute()
        self._links_url = links_url.rstrip("/")
        self._clock = clock

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store a file whole; a reader sees the old or the new one, never a part."""
        await asyncio.to_thread(self._write, key, content, content_type)

    async def get(self, key: str) -> bytes:
        """Return a file. Raises ``NotFound``."""
        try:
            return await asyncio.to_thread(self._place(key).read_bytes)
        except FileNotFoundError as error:
            raise NotFound(f"there is no file {key}") from error

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """Yield a file in pieces. Raises ``NotFound`` at the first."""
        try:
            file = await asyncio.to_thread(self._place(key).open, "rb")
        except FileNotFoundError as error:
            raise NotFound(f"there is no file {key}") from error
        with file:
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                yield piece

    async def delete(self, key: str) -> None:
        """Remove a file; one that is not there is no error."""
        for place in (self._place(key), self._type_place(key)):
            await asyncio.to_thread(place.unlink, missing_ok=True)

    async def presigned_url(self, key: str, expires_in: timedelta) -> str:
        """Return a link by which a browser gets the file until it expires."""
        self._place(key)
        expires = int((self._clock.now() + expires_in).timestamp())
        query = urlencode({"expires": expires, "signature": await asyncio.to_thread(self._signature, key, expires)})
        return f"{self._links_url}/{quote(key)}?{query}"

    async def ping(self) -> None:
        """Raise ``Unavailable`` when the folder can't be written."""
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            if os.access(self._folder, os.W_OK | os.X_OK):
                return
        except OSError as error:
            raise Unavailable(f"the folder for files, {self._folder}, can't be used: {error}") from error
        raise Unavailable(f"the folder for files, {self._folder}, can't be written")

    def open_signed(self, key: str, expires: int, signature: str) -> SignedFile:
        """Return the file a link names.

        Raises ``NotPermitted`` for a link that was changed or has expired, ``NotFound`` for a file that is gone.
        """
        if not hmac.compare_digest(self._signature(key, expires).encode(), signature.encode()):
            raise NotPermitted("this link is not one of ours, or it was changed; ask for a new one")
        if expires <= self._clock.now().timestamp():
            raise NotPermitted("this link has expired; ask for a new one")
        place = self._place(key)
        if not place.is_file():
            raise NotFound("this file is no longer there")
        return SignedFile(place, self._content_type(key))

    def _place(self, key: str) -> Path:
        return self._folder / "files" / _checked(key)

    def _type_place(self, key: str) -> Path:
        return self._folder / "types" / _checked(key)

    def _write(self, key: str, content: bytes, content_type: str) -> None:
        if content_type == (mimetypes.guess_type(key)[0] or _UNKNOWN):
            self._type_place(key).unlink(missing_ok=True)
        else:
            _replace(self._type_place(key), content_type.encode())
        _replace(self._place(key), content)

    def _content_type(self, key: str) -> str:
        try:
            return self._type_place(key).read_text()
        except FileNotFoundError:
            return mimetypes.guess_type(key)[0] or _UNKNOWN

    def _signature(self, key: str, expires: int) -> str:
        return hmac.new(self._link_key(), f"{expires}\n{key}".encode(), hashlib.sha256).hexdigest()

    def _link_key(self) -> bytes:
        """Return the key links are signed with; every process of the machine reads the same one."""
        place = self._folder / "link-key"
        if not place.exists():
            draft = _draft(place, secrets.token_bytes(32))
            try:
                place.hardlink_to(draft)
            except FileExistsError:
                pass  # another process was first: its key counts
            finally:
                draft.unlink()
        return place.read_bytes()


def _checked(key: str) -> PurePosixPath:
    """Return a key as a relative path. Raises ``InvalidInput`` for one that could leave the folder."""
    parts = key.split("/")
    if "\x00" in key or any(part in {"", ".", ".."} for part in parts):
        raise InvalidInput(f"{key!r} is no key of a file: keys are relative and /-separated")
    return PurePosixPath(*parts)


def _replace(place: Path, content: bytes) -> None:
    _draft(place, content).replace(place)


def _draft(place: Path, content: bytes) -> Path:
    """Write the content beside its place, on disk before anyone is shown it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{secrets.token_hex(8)}")
    draft.touch(mode=0o600, exist_ok=False)
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft
