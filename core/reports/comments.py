"""Remarks: filling in a student's name and pronouns, and checking that a remark is about that student. Pure.

Placeholders are ``{first_name}`` and pronouns by their two forms, as ``{he_she}``; with a capital, as ``{He_She}``,
they begin a sentence.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.errors import Fault, InvalidInput
from core.reports.records import StudentRecord
from core.school.model import Gender

LONGEST = 600
"""Characters of a remark; about six lines of a card."""

_PRONOUNS = {
    "he_she": ("he", "she"),
    "him_her": ("him", "her"),
    "his_her": ("his", "her"),
    "his_hers": ("his", "hers"),
    "himself_herself": ("himself", "herself"),
}
PLACEHOLDERS = ("first_name", *_PRONOUNS)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_WORD = re.compile(r"[^\W\d_]+(?:['’\u0300-\u036f-]*[^\W\d_]+)*[\u0300-\u036f]*")
_OF = {
    Gender.MALE: frozenset({"he", "him", "his", "himself"}),
    Gender.FEMALE: frozenset({"she", "her", "hers", "herself"}),
}
_SHORTEST_NAME = 3


class RemarkKind(StrEnum):
    """Whose remark it is."""

    CLASS_TEACHER = "class_teacher"
    PRINCIPAL = "principal"
    SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class Warned:
    """A place of a remark that may be wrong. The remark is kept all the same."""

    code: str
    """``other_student`` or ``wrong_pronoun``."""
    start: int
    end: int
    """The place in the text, in characters, end not included."""
    word: str
    sentence: str


def fill(text: str, student: StudentRecord) -> str:
    """Return a remark with its placeholders filled in. Raises ``InvalidInput`` for one that is not known."""
    require_known(text)
    return _PLACEHOLDER.sub(lambda found: _filled(found[1], student), text)


def require_known(text: str, where: str = "/text") -> None:
    """Raise ``InvalidInput`` where a placeholder is not one of ours."""
    strangers = [found[1] for found in _PLACEHOLDER.finditer(text) if found[1].lower() not in PLACEHOLDERS]
    if strangers or text.count("{") != text.count("}"):
        what = f"{{{strangers[0]}}} is no placeholder" if strangers else "a brace stands alone"
        allowed = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise InvalidInput(f"{what}; there are {allowed}", [Fault(where, f"{what}; there are {allowed}", "unknown")])


def check(text: str, student: StudentRecord, classmates: Iterable[StudentRecord]) -> list[Warned]:
    """Return where a remark names another student of the class, or uses pronouns of the other gender."""
    own = _names(student)
    others: dict[str, StudentRecord] = {}
    for mate in classmates:
        if mate.id != student.id:
            others |= dict.fromkeys(_names(mate) - own, mate)
    wrong = _OF[Gender.FEMALE if student.gender is Gender.MALE else Gender.MALE]
    warned = (_warned(found, student, others, wrong) for found in _WORD.finditer(text))
    return [each for each in warned if each is not None]


def suggestions(texts: Sequence[str], student: StudentRecord) -> list[str]:
    """Return remarks of the bank, filled in for a student."""
    return [fill(text, student) for text in texts]


def folded(word: str) -> str:
    """Return a word as names are compared: lower case, without marks above and below letters."""
    plain = "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))
    return plain.casefold().translate(_HOOKED)


_HOOKED = str.maketrans("ɓɗƙƴ", "bdky")


def _filled(name: str, student: StudentRecord) -> str:
    if name.lower() == "first_name":
        return student.first_name
    word = _PRONOUNS[name.lower()][student.gender is Gender.FEMALE]
    return word.capitalize() if name[:1].isupper() else word


def _names(student: StudentRecord) -> frozenset[str]:
    words = _WORD.findall(f"{student.family_name} {student.given_names}")
    parts = [part for word in words for part in (word, *word.split("-"))]
    return frozenset(folded(part) for part in parts if len(part) >= _SHORTEST_NAME)


def _warned(
    found: re.Match[str], student: StudentRecord, others: Mapping[str, StudentRecord], wrong: frozenset[str]
) -> Warned | None:
    word = found[0]
    plain = folded(word).removesuffix("'s").removesuffix("’s")
    if plain in wrong:
        sentence = f"“{word}” is said of a {student.gender.value} student"
        return Warned("wrong_pronoun", found.start(), found.end(), word, sentence)
    # Joy, Patience and Blessing are words too: only with a capital are they somebody.
    if plain in others and word[0].isupper():
        sentence = f"“{word}” is the name of {others[plain].name}, another student of the class"
        return Warned("other_student", found.start(), found.end(), word, sentence)
    return None
