"""Files in a folder of this machine, with links that are signed and expire."""

import asyncio
import contextlib
import hashlib
import hmac
import mimetypes
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar
from urllib.parse import quote, urlencode

from core.clock import Clock
from core.errors import InvalidInput, NotFound, NotPermitted, Unavailable
from core.ports import KEPT_FOR, SignedFile, expires

_Result = TypeVar("_Result")

_PIECE_BYTES = 256 * 1024
_UNKNOWN = "application/octet-stream"
_DRAFT_KEPT_FOR = timedelta(days=1)
"""A file that is still being written after that has lost its writer."""


class LocalObjectStore:
    """The object store of one machine. Whoever holds a link gets its file until the link expires."""

    def __init__(self, folder: Path, *, links_url: str, clock: Clock) -> None:
        """Keep files under ``folder``; links begin with ``links_url``, where ``deployments.files`` answers."""
        self._folder = folder.absolute()
        self._links_url = links_url.rstrip("/")
        self._clock = clock

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store a file whole; a reader sees the old or the new one, never a part."""
        await _on_disk(self._write, key, content, content_type)

    async def put_stream(self, key: str, pieces: AsyncIterator[bytes], content_type: str) -> int:
        """Store a file from its pieces and return its size; a reader sees the old or the new one, never a part."""
        draft = await _on_disk(_begun, self._place(key))
        try:
            with draft.open("wb") as file:
                async for piece in pieces:
                    await _on_disk(file.write, piece)
                size = await _on_disk(_kept, file)
            await _on_disk(self._show, key, draft, content_type)
        finally:
            await asyncio.shield(asyncio.to_thread(draft.unlink, missing_ok=True))
        return size

    async def get(self, key: str) -> bytes:
        """Return a file. Raises ``NotFound``, and ``Unavailable`` where the folder can't be read."""
        return await _from_disk(key, self._place(key).read_bytes)

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """Yield a file in pieces. Raises ``NotFound`` at the first, and ``Unavailable`` where it can't be read."""
        file: BinaryIO = await _from_disk(key, self._place(key).open, "rb")
        with file:
            while piece := await _from_disk(key, file.read, _PIECE_BYTES):
                yield piece

    async def exists(self, key: str) -> bool:
        """Tell whether there is such a file."""
        return await asyncio.to_thread(self._place(key).is_file)

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

    async def expire(self) -> int:
        """Remove what has expired; return how many files that were."""
        return await _on_disk(self._remove_expired)

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
        self._show(key, _draft(self._place(key), content), content_type)

    def _show(self, key: str, draft: Path, content_type: str) -> None:
        """Put a file that is on disk in its place."""
        if content_type == (mimetypes.guess_type(key)[0] or _UNKNOWN):
            self._type_place(key).unlink(missing_ok=True)
        else:
            place = self._type_place(key)
            _draft(place, content_type.encode()).replace(place)
        draft.replace(self._place(key))

    def _remove_expired(self) -> int:
        now, removed = self._clock.now().timestamp(), 0
        for place in self._expiring():
            kept_for = _DRAFT_KEPT_FOR if place.name.startswith(".") else KEPT_FOR
            with contextlib.suppress(FileNotFoundError):  # another sweeper was here
                if place.stat().st_mtime + kept_for.total_seconds() < now:
                    self._type_place(place.relative_to(self._folder / "files").as_posix()).unlink(missing_ok=True)
                    place.unlink()
                    removed += 1
            with contextlib.suppress(OSError):  # there are others in it
                place.parent.rmdir()
        return removed

    def _expiring(self) -> Iterator[Path]:
        top = self._folder / "files"
        for folder, _, names in os.walk(top):
            places = [Path(folder, name) for name in names]
            yield from (place for place in places if expires(place.relative_to(top).as_posix()))

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


async def _on_disk(work: Callable[..., _Result], *given: object) -> _Result:
    """Do something with the disk in a thread. Raises ``Unavailable`` for one that is full or can't be written."""
    try:
        return await asyncio.to_thread(work, *given)
    except OSError as error:
        raise Unavailable(f"the folder for files can't be written: {error.strerror}", 5.0) from error


async def _from_disk(key: str, work: Callable[..., _Result], *given: object) -> _Result:
    """Read in a thread. A file that is not there is ``NotFound``; a folder that can't be read is ``Unavailable``."""
    try:
        return await asyncio.to_thread(work, *given)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {key}") from error
    except OSError as error:
        raise Unavailable(f"the folder for files can't be read: {error.strerror}", 5.0) from error


def _begun(place: Path) -> Path:
    """Return a new empty file beside the place."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{secrets.token_hex(8)}")
    draft.touch(mode=0o600, exist_ok=False)
    return draft


def _draft(place: Path, content: bytes) -> Path:
    """Write the content beside its place, on disk before anyone is shown it."""
    draft = _begun(place)
    try:
        with draft.open("wb") as file:
            file.write(content)
            _kept(file)
    except OSError:
        draft.unlink()
        raise
    return draft


def _kept(file: BinaryIO) -> int:
    """Have a file's content on disk, and return its size."""
    file.flush()
    os.fsync(file.fileno())
    return file.tell()
