"""One printed document into its cards, at the named destinations; and cards into one document for a class."""

import io
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pikepdf

from core.reports.ports import RenderFailed
from core.reports.tagging import Structure

_PREFIX = "card-"


def destination(serial: str) -> str:
    """Return the name of the place where a card begins in its document."""
    return f"{_PREFIX}{serial}"


def split(pdf: bytes, serials: Sequence[str]) -> dict[str, bytes]:
    """Return each card's own document, by serial; a card may take any number of pages.

    A document of one card is handed back as it is, with the structure that tagging gave it; that of several is lost
    when they are parted, so tagged cards are printed one by one.

    Raises:
        RenderFailed: the document does not hold exactly these cards in this order, each beginning on its own page.
    """
    with pikepdf.open(io.BytesIO(pdf)) as document:
        starts = _starts(document, serials)
        if len(serials) == 1:
            return {serials[0]: pdf}
        bounds = [*starts, len(document.pages)]
        return {
            serial: _part(document, range(start, end))
            for serial, (start, end) in zip(serials, pairwise(bounds), strict=True)
        }


def merge(documents: Iterable[tuple[str, bytes]]) -> bytes:
    """Return documents as one, in the order given, with a bookmark for each title; where all are tagged, so is it."""
    with pikepdf.new() as whole:
        structure, bookmarks = Structure(whole), []
        for title, content in documents:
            with pikepdf.open(io.BytesIO(content)) as document:
                bookmarks.append(pikepdf.OutlineItem(title, len(whole.pages)))
                structure.make_different(document)
                whole.add_pages_from(document, forms="strip")
                structure.take(document)
        structure.finish()
        with whole.open_outline() as outline:
            outline.root.extend(bookmarks)
        return _bytes_of(whole)


def _starts(document: pikepdf.Pdf, serials: Sequence[str]) -> list[int]:
    """Return the index of each card's first page, checked to begin at the first page and to rise."""
    places = document.Root.get("/Dests", pikepdf.Dictionary())
    numbers: dict[object, int] = {page.objgen: number for number, page in enumerate(document.pages)}
    starts = []
    for serial in serials:
        place = places.get(f"/{destination(serial)}")
        if place is None:
            raise RenderFailed("the printed document lacks one of its cards", False)
        starts.append(numbers[place[0].objgen])
    if len(places) != len(serials) or starts[0] != 0 or any(first >= second for first, second in pairwise(starts)):
        raise RenderFailed("the printed document's cards do not each begin on a page of their own, in order", False)
    return starts


def _part(document: pikepdf.Pdf, pages: range) -> bytes:
    with pikepdf.new() as part:
        part.add_pages_from(document, pages, forms="strip")
        return _bytes_of(part)


def _bytes_of(document: pikepdf.Pdf) -> bytes:
    target = io.BytesIO()
    document.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
    return target.getvalue()
