"""Whether a printed card is what it must be: its own student's, nobody else's, whole."""

import re
import unicodedata

import pypdfium2

from core.reports import wording
from core.reports.card import Card
from core.reports.ports import WrongContent

MOST_PAGES = 3
"""A card of more subjects than any school teaches takes three pages; more is a fault of the data or of the layout."""
_FOOT = re.compile(r"Serial(.+?)·")
_PAGE = re.compile(r"·page(\d+)")
_HYPHEN_AT_AN_END = "\x02"
"""What PDFium reads where a line ends with a hyphen, as a serial of wide letters does."""
_SLIP = 3
"""PDFium reads letters under tone marks twice at times (Ẹ̀bùn as Ẹ̀bẸ̀ùn): so many may stand between two of a name."""


def check_card(pdf: bytes, card: Card) -> int:
    """Check that a document is one card, by the text of its pages as a reader finds it; return how many they are.

    Every page's foot carries the card's serial and its own number, and no other serial; the first page carries the
    student's name and number; the last carries what closes a card. A draft, which has no serial, is checked for its
    student alone.

    Raises:
        WrongContent: it is not.
    """
    pages = _pages(pdf)
    if not 1 <= len(pages) <= MOST_PAGES:
        raise WrongContent(f"the card has {len(pages)} pages")
    if card.serial:
        for number, page in enumerate(pages, start=1):
            _check_foot(page, card.serial, number)
        if [page.count(_bare(card.serial)) for page in pages] != [1] * (len(pages) - 1) + [2]:
            raise WrongContent("what closes a card is not on its last page")
    first = _letters(pages[0])
    if not _stands_in(wording.clean(card.student.student_no, 30), first):
        raise WrongContent("the first page does not hold the student's number")
    if not _stands_in(wording.name_of(card), first):
        raise WrongContent("the first page does not hold the student's name")
    return len(pages)


def _check_foot(page: str, serial: str, number: int) -> None:
    serials = set(_FOOT.findall(page))
    if serials != {_bare(serial)}:
        raise WrongContent(f"page {number} holds {len(serials)} serials, or another card's")
    if _PAGE.findall(page)[:1] != [str(number)]:
        raise WrongContent(f"page {number} does not say so: a page is missing or out of order")


def _pages(pdf: bytes) -> list[str]:
    """Return the text of each page without blanks, which PDFium finds or not by the letters' distance."""
    try:
        with pypdfium2.PdfDocument(pdf) as document:
            return [_bare(page.get_textpage().get_text_bounded()) for page in document]
    except pypdfium2.PdfiumError as error:
        raise WrongContent("the card is no PDF that can be read") from error


def _bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text.replace(_HYPHEN_AT_AN_END, "-")).split())


def _letters(text: str) -> str:
    """Return text without the marks on its letters."""
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def _stands_in(words: str, letters: str) -> bool:
    """Tell whether words stand in a text of letters alone, with slips between them; in linear time."""
    wanted = _letters(_bare(words))
    if wanted in letters:  # as nearly all do; letter by letter takes twenty times as long
        return True
    ends = set(range(len(letters)))
    for letter in wanted:
        ends = {
            at + 1 for end in ends for at in range(end, min(end + _SLIP + 1, len(letters))) if letters[at] == letter
        }
    return bool(ends)
