"""What tests of printing share: pictures, and pages as a reader finds them."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pypdfium2
from PIL import Image

from core.errors import NotFound
from core.reports.fonts import Fonts

FONTS = Fonts(Path(__file__).parents[2] / ".pytest_cache" / "fonts")
"""Typefaces of all test runs, cut when they are first asked for, which takes some seconds."""


class NoImages:
    """An image source that has nothing."""

    async def load(self, key: str) -> bytes:
        """Refuse."""
        raise NotFound(f"there is no file {key}")


class Images:
    """An image source of what it is given."""

    def __init__(self, known: Mapping[str, bytes]) -> None:
        """Keep pictures by key."""
        self._known = known

    async def load(self, key: str) -> bytes:
        """Return a picture. Raises ``NotFound``."""
        if key not in self._known:
            raise NotFound(f"there is no file {key}")
        return self._known[key]


def picture(colour: str = "#7a1f2b", size: tuple[int, int] = (300, 300), kind: str = "PNG") -> bytes:
    """Return a picture of one colour."""
    target = io.BytesIO()
    Image.new("RGB", size, colour).save(target, kind)
    return target.getvalue()


@dataclass(frozen=True, slots=True)
class Box:
    """A line of text on a page, in points from the page's upper left corner."""

    left: float
    top: float
    right: float
    bottom: float
    text: str


@dataclass(frozen=True, slots=True)
class PageFound:
    """A page as a reader finds it."""

    width: float
    height: float
    text: str
    boxes: tuple[Box, ...]


def pages_of(pdf: bytes) -> list[PageFound]:
    """Return the pages of a document with their text and where it stands."""
    with pypdfium2.PdfDocument(pdf) as document:
        return [_page(page) for page in document]


def colours_of(pdf: bytes, scale: float = 0.5) -> set[tuple[int, int, int]]:
    """Return the colours that cover at least a thousandth of the first page."""
    with pypdfium2.PdfDocument(pdf) as document:
        shown = document[0].render(scale=scale).to_pil().convert("RGB")
    pixels = shown.width * shown.height
    found = shown.getcolors(pixels) or []
    return {colour for count, colour in found if isinstance(colour, tuple) and count * 1000 >= pixels}


def _page(page: pypdfium2.PdfPage) -> PageFound:
    width, height = page.get_size()
    text = page.get_textpage()
    boxes = []
    for number in range(text.count_rects()):
        left, bottom, right, top = text.get_rect(number)
        boxes.append(Box(left, height - top, right, height - bottom, text.get_text_bounded(left, bottom, right, top)))
    return PageFound(width, height, text.get_text_bounded(), tuple(boxes))
