"""A ZIP archive made piece by piece, so that it takes no more memory with a thousand files than with one. Pure."""

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PIECE_BYTES = 1024 * 1024


async def zipped(files: AsyncIterator[tuple[str, bytes]], at: datetime) -> AsyncIterator[bytes]:
    """Yield an archive of files in pieces of about 1 MiB, each file by its name and whole.

    Files are stored, not deflated: PDFs hardly shrink, and it would take a tenth of the time that printing does. Each
    is written with its size before it, so that readers which can't look ahead take the archive too.
    """
    window = _Window()
    with zipfile.ZipFile(window, "w", zipfile.ZIP_STORED) as archive:
        async for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, at.timetuple()[:6]), content)
            if window.size >= _PIECE_BYTES:
                yield window.taken()
    yield window.taken()


class _Window(io.RawIOBase):
    """A file of which only the end is in memory: what was taken is gone, and can't be changed any more."""

    def __init__(self) -> None:
        self._start = 0
        self._end = io.BytesIO()

    @property
    def size(self) -> int:
        """Return how many bytes are in memory."""
        return self._end.getbuffer().nbytes

    def taken(self) -> bytes:
        """Return what is in memory, and forget it."""
        content = self._end.getvalue()
        self._start += len(content)
        self._end = io.BytesIO()
        return content

    def write(self, content: "Buffer") -> int:
        """Write at the place."""
        return self._end.write(content)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place that is still in memory."""
        if whence != io.SEEK_SET or place < self._start:
            raise io.UnsupportedOperation("that part of the archive has left")
        return self._start + self._end.seek(place - self._start)

    def tell(self) -> int:
        """Return the place."""
        return self._start + self._end.tell()

    def seekable(self) -> bool:
        """Tell that one may go back within what is in memory."""
        return True

    def writable(self) -> bool:
        """Tell that it is written."""
        return True
