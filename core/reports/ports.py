"""What printing needs from outside: a browser that prints, and where a school's pictures are."""

from typing import Protocol

from core.errors import SchoolOSError


class RenderFailed(SchoolOSError):
    """A document could not be printed."""

    def __init__(self, message: str, retryable: bool = True) -> None:
        super().__init__(message, retryable)
        self.retryable = retryable
        """Whether the same document may print at another attempt: the browser was at fault, not the document."""


class RenderTimedOut(RenderFailed):
    """A document was not printed before its deadline; its browser was killed."""


class WrongContent(SchoolOSError):
    """A printed card does not hold what it must: its own student, nobody else's, every page."""


class PageRenderer(Protocol):
    """Prints HTML as PDF on A4, one document at a time; a second call waits for the first."""

    async def render(self, html: str, *, tagged: bool = False, landscape: bool = False, deadline_s: float) -> bytes:
        """Return the document as PDF.

        Args:
            html: a whole document that refers to nothing outside itself.
            tagged: whether the PDF carries the structure that screen readers use.
            landscape: whether the paper lies on its long side.
            deadline_s: seconds after which the print is given up, its browser killed and the next call given a new one.

        Raises:
            RenderTimedOut: the deadline passed.
            RenderFailed: the browser refused the document or died.
        """

    async def close(self) -> None:
        """End the browser and remove what it kept on disk."""


class ImageSource(Protocol):
    """Where logos, photographs and signatures are: the object store, and nothing else."""

    async def load(self, key: str) -> bytes:
        """Return a picture's bytes. Raises ``NotFound``."""
