"""What a cell says: one reader for each kind of column. A reader returns a plain value or raises ``CellError``."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from core.access.principal import Role
from core.school.contacts import e164, email_address
from core.school.model import STAFF_ROLES, Channel, Gender, Language, Stage
from core.school.spreadsheets import Refused, Value

T = TypeVar("T")
Reader = Callable[[Value], T]


class CellError(Exception):
    """A cell can't be read; says what is wrong and what is allowed."""

    def __init__(self, what: str, code: str = "invalid") -> None:
        super().__init__(what, code)
        self.what = what
        self.code = code


def fold(text: str) -> str:
    """Return text for comparing: without case, accents, spaces and marks (``Adébáyọ̀`` is ``adebayo``)."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if letter.isalnum())


def fold_number(text: str) -> str:
    """Return a register number for comparing: without case and spaces; ``A/1`` and ``A1`` stay two."""
    return "".join(text.split()).casefold()


def as_text(value: Value) -> str:
    """Return what a cell shows, in one line. A whole number has no point: Excel may keep 1001 as 1001.0."""
    if isinstance(value, Refused):
        raise CellError(value.what, value.code)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, datetime | date):
        return value.strftime("%d/%m/%Y")
    return " ".join(unicodedata.normalize("NFC", str(value)).split())


def text(longest: int = 80) -> Reader[str]:
    """Return a reader of text of up to ``longest`` characters."""

    def read(value: Value) -> str:
        found = as_text(value)
        if len(found) > longest:
            raise CellError(f"is {len(found)} characters long; {longest} is the most", "too_long")
        return found

    return read


def name(value: Value) -> str:
    """Read a person's name: it has a letter, and no digit."""
    found = text(80)(value)
    if not any(letter.isalpha() for letter in found) or any(letter.isdigit() for letter in found):
        raise CellError(f"{shown(found)} is no name; write letters")
    return found


def register_number(value: Value) -> str:
    """Read a student's or staff number."""
    found = text(40)(value)
    if any(mark in found for mark in ";,"):
        raise CellError("is more than one number; write one", "invalid")
    return found


def shown(found: str) -> str:
    """Return what was found, short enough for a sentence."""
    return f"'{found[:40]}…'" if len(found) > 40 else f"'{found}'"


_DAY = re.compile(r"(\d{1,2})[/.\- ](\d{1,2})[/.\- ](\d{4})")
_ISO_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T]00:00(?::00)?)?")


def day(value: Value) -> date:
    """Read a date: a date cell, dd/mm/yyyy or yyyy-mm-dd, between 1950 and 2100."""
    found = value.date() if isinstance(value, datetime) else value
    if not isinstance(found, date):
        found = _written_day(as_text(value))
    if not 1950 <= found.year <= 2100:
        raise CellError(f"{found.strftime('%d/%m/')}{found.year} is out of range; years from 1950 on", "out_of_range")
    return found


def _written_day(written: str) -> date:
    if match := _DAY.fullmatch(written):
        day_, month, year = map(int, match.groups())
    elif match := _ISO_DAY.fullmatch(written):
        year, month, day_ = map(int, match.groups())
    else:
        raise CellError(f"{shown(written)} is no date; write dd/mm/yyyy, such as 05/09/2014", "bad_date")
    try:
        return date(year, month, day_)
    except ValueError as error:
        raise CellError(f"{shown(written)} is no day of the calendar; write dd/mm/yyyy", "bad_date") from error


def phone(value: Value) -> str:
    """Read a phone number, Nigerian unless it begins with +, into E.164. A number cell has lost its first 0."""
    return _contact(as_text(value), e164, "bad_phone")


def email(value: Value) -> str:
    """Read an email address into its normal form."""
    return _contact(as_text(value), email_address, "bad_email")


def _contact(found: str, normal: Callable[[str], str], code: str) -> str:
    if len(found) > 254:
        raise CellError(f"{shown(found)} is too long", "too_long")
    try:
        return normal(found)
    except ValueError as error:
        raise CellError(f"{shown(found)}: {error}", code) from error


def one_of(words: Mapping[str, T], allowed: str) -> Reader[T]:
    """Return a reader of one of some words; ``words`` has them folded."""

    def read(value: Value) -> T:
        found = as_text(value)
        if fold(found) not in words:
            raise CellError(f"{shown(found)} is unknown; write {allowed}", "unknown")
        return words[fold(found)]

    return read


yes_no: Reader[bool] = one_of(
    {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}, "yes or no"
)
gender: Reader[Gender] = one_of(
    dict.fromkeys(("female", "f", "girl", "woman"), Gender.FEMALE)
    | dict.fromkeys(("male", "m", "boy", "man"), Gender.MALE),
    "female or male",
)
language: Reader[Language] = one_of(
    dict.fromkeys(("en", "english"), Language.EN)
    | dict.fromkeys(("yo", "yoruba"), Language.YO)
    | dict.fromkeys(("ha", "hausa"), Language.HA)
    | dict.fromkeys(("ig", "igbo", "ibo"), Language.IG)
    | dict.fromkeys(("pcm", "pidgin", "nigerianpidgin", "naija"), Language.PCM),
    "English, Yoruba, Hausa, Igbo or Pidgin",
)
term_number: Reader[int] = one_of(
    dict.fromkeys(("1", "first", "firstterm", "term1", "1stterm", "1st"), 1)
    | dict.fromkeys(("2", "second", "secondterm", "term2", "2ndterm", "2nd"), 2)
    | dict.fromkeys(("3", "third", "thirdterm", "term3", "3rdterm", "3rd"), 3),
    "1, 2 or 3",
)
_channel: Reader[Channel] = one_of(
    {"sms": Channel.SMS, "text": Channel.SMS, "email": Channel.EMAIL, "mail": Channel.EMAIL}
    | {"push": Channel.PUSH, "app": Channel.PUSH, "inapp": Channel.PUSH},
    "sms, email and push, first choice first",
)
_role: Reader[Role] = one_of(
    {fold(role.value): role for role in STAFF_ROLES}
    | {"admin": Role.SCHOOL_ADMIN, "administrator": Role.SCHOOL_ADMIN, "teacher": Role.SUBJECT_TEACHER}
    | {"hod": Role.HEAD_OF_DEPARTMENT, "headteacher": Role.PRINCIPAL, "formteacher": Role.CLASS_TEACHER}
    | {"accountant": Role.BURSAR},
    "subject teacher, class teacher, head of department, principal, bursar or school admin",
)


def several(reader: Reader[T], most: int = 100) -> Reader[tuple[T, ...]]:
    """Return a reader of a list parted by ``;`` or ``,``; what comes twice counts once."""

    def read(value: Value) -> tuple[T, ...]:
        parts = [part for part in re.split(r"[;,]", as_text(value)) if part.strip()]
        if not parts:
            raise CellError("lists nothing; write one or more, parted by ;", "missing")
        if len(parts) > most:
            raise CellError(f"lists {len(parts)}; {most} is the most", "too_long")
        return tuple(dict.fromkeys(reader(part) for part in parts))

    return read


channels = several(_channel)
roles = several(_role)
register_numbers = several(register_number)


def whole(least: int, most: int) -> Reader[int]:
    """Return a reader of a whole number within bounds."""

    def read(value: Value) -> int:
        found = as_text(value)
        if not re.fullmatch(r"\d{1,9}", found, re.ASCII) or not least <= int(found) <= most:
            raise CellError(
                f"{shown(found)} is out of range; write a whole number from {least} to {most}", "out_of_range"
            )
        return int(found)

    return read


def session_name(value: Value) -> str:
    """Read a session such as 2027/2028; 2027/28 and 2027-2028 are taken too."""
    found = as_text(value)
    match = re.fullmatch(r"(20\d\d) ?[/\-] ?(?:20)?(\d\d)", found, re.ASCII)
    if match is None or (int(match[1]) + 1) % 100 != int(match[2]):
        raise CellError(f"{shown(found)} is no session; write two years that follow each other, such as 2027/2028")
    return f"{match[1]}/{int(match[1]) + 1}"


@dataclass(frozen=True, slots=True)
class LevelName:
    """A year of study as it is written."""

    name: str
    stage: Stage
    rank: int
    """1 to 6 over both stages."""


_LEVEL = re.compile(
    r"(jss?|junior secondary(?: school)?|sss?|senior secondary(?: school)?|basic|grade|year)\s*(\d{1,2})"
)


def parse_level(written: str) -> tuple[LevelName, str] | None:
    """Return the level that a class begins with, and the rest: 'JS2 Ruby' is JSS 2 and 'ruby'. None for no level."""
    match = _LEVEL.match(written.casefold().replace(".", "").strip())
    if match is None:
        return None
    word, number = match[1], int(match[2])
    rank = number + 3 if word.startswith("s") else number if word.startswith("j") else number - 6
    stage = Stage.SSS if rank > 3 else Stage.JSS
    if not 1 <= rank <= 6 or (word[0] in "js" and not 1 <= number <= 3):
        return None
    spelt = f"{stage} {number}" if word[0] in "js" else f"{word.title()} {number}"
    return LevelName(spelt, stage, rank), fold(match.string[match.end() :])


def class_key(written: str) -> str:
    """Return a class for comparing: 'JSS 2 Ruby', 'JS2 RUBY' and 'jss2-ruby' are one."""
    parsed = parse_level(written)
    return f"{parsed[0].rank}:{parsed[1]}" if parsed else fold(written)
