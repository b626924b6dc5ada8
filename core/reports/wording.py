"""How values read on paper: cleaned text, figures, positions, dates, and where marks are wanting. Pure."""

import unicodedata
from datetime import date
from decimal import Decimal

from markupsafe import Markup

from core.reports.card import Card, NotScored, SubjectLine

NONE = "—"
NAME_LETTERS = 90
"""A longer name is cut: the register's own limit is higher than a card is wide."""
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_ABSENCES = {NotScored.ABSENT: "ABS", NotScored.MISSING: NONE, NotScored.EXEMPT: "EX"}
_MEANINGS = {
    NotScored.ABSENT: "ABS: absent, counts as nothing scored",
    NotScored.MISSING: f"{NONE}: not recorded",
    NotScored.EXEMPT: "EX: exempt, does not count",
}


def clean(text: str, letters: int = 1000) -> str:
    """Return text as one composed line that no control or direction character can bend, cut to so many letters."""
    line = " ".join(unicodedata.normalize("NFC", text[: letters * 4]).split())
    if not line.isprintable():
        line = "".join(char for char in line if unicodedata.category(char) not in _UNPRINTABLE)
    return line if len(line) <= letters else f"{line[: letters - 1].rstrip()}…"


def printed(value: object) -> object:
    """Return what a template puts out for a value: markup as it is, nothing for None, all else as cleaned text."""
    if isinstance(value, Markup):
        return value
    return "" if value is None else clean(str(value))


def name_of(card: Card) -> str:
    """Return the student's name as the card shows it."""
    return clean(card.student.name, NAME_LETTERS)


def figure(value: Decimal | int | None) -> str:
    """Return a number without needless noughts: 87, 72.5; a dash for none."""
    if value is None:
        return NONE
    written = f"{Decimal(value):f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def tenth(value: Decimal | None) -> str:
    """Return an average with its one place: 48.0; a dash for none."""
    return NONE if value is None else f"{value:.1f}"


def ordinal(place: int | None, shared: bool = False) -> str:
    """Return a position: 1st, 2nd, 11th; with an equals sign where it is shared; a dash for none."""
    if place is None:
        return NONE
    ending = "th" if 10 <= place % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}{'=' if shared else ''}"


def long_date(day: date) -> str:
    """Return a day as a letter says it: Monday 10 January 2028."""
    return f"{day:%A} {day.day} {day:%B} {day.year}"


def short_date(day: date) -> str:
    """Return a day as forms have it: 10/01/2028."""
    return f"{day:%d/%m/%Y}"


def mark(line: SubjectLine, column: str) -> str:
    """Return a cell of the assessments: the mark, why there is none, or nothing where the subject has no such part."""
    if (why := line.not_scored.get(column)) is not None:
        return _ABSENCES[why]
    if column not in line.assessments:
        return ""
    return figure(line.assessments[column])


def total(line: SubjectLine) -> str:
    """Return the subject's total, or why there is none."""
    if line.absent:
        return _ABSENCES[NotScored.ABSENT]
    if line.exempt:
        return _ABSENCES[NotScored.EXEMPT]
    return figure(line.total)


def meanings(card: Card) -> list[str]:
    """Return what the signs on this card mean."""
    used = {why for line in card.subjects for why in line.not_scored.values()}
    used |= {NotScored.ABSENT for line in card.subjects if line.absent}
    used |= {NotScored.EXEMPT for line in card.subjects if line.exempt}
    shared = card.position_shared or any(line.position_shared for line in card.subjects)
    return [_MEANINGS[why] for why in NotScored if why in used] + (["=: position shared"] if shared else [])


def maxima_of(card: Card) -> dict[str, int]:
    """Return what each assessment can bring, by its name."""
    return {column.name: column.max for column in card.columns}


def earlier_terms(card: Card) -> tuple[str, ...]:
    """Return the names of the session's terms before this one, where the subjects tell them: on third-term cards."""
    named = dict.fromkeys(each.term for line in card.subjects for each in line.terms)
    return tuple(term for term in named if term != card.term)


def term_score(line: SubjectLine, term: str) -> Decimal | None:
    """Return a subject's score in a term of the session."""
    return next((each.score for each in line.terms if each.term == term), None)


def initials(name: str) -> str:
    """Return the first letters of a name's first three words: what stands for a crest that a school has not given."""
    return "".join(word[0] for word in clean(name, NAME_LETTERS).split()[:3]).upper()


def css_text(text: str) -> str:
    """Return text as a CSS string, every character but plain letters and figures escaped: none can end it."""
    escaped = (char if char.isascii() and char.isalnum() else f"\\{ord(char):x} " for char in text)
    return f'"{"".join(escaped)}"'
