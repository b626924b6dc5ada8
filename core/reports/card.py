"""What a report card says, as data: all that is printed on it, and nothing that is looked up while it is printed. Pure.

The names on the wire are the source's data contract (P5-02..05); what it leaves open (ties, absent and missing, the
third term's cumulative figures, who signs) stands beside it with defaults, so that the source's own JSON is a card.
"""

import hashlib
import json
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


Figure = Annotated[Decimal, PlainSerializer(_number, return_type=int | float, when_used="json")]
"""A mark, total or average of two places at most, so that it is a JSON number and comes back as the same decimal."""


class _Part(BaseModel):
    """Base of everything on a card: frozen, camelCase on the wire, unknown names refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class NotScored(StrEnum):
    """Why an assessment has no mark."""

    ABSENT = "absent"
    """It was recorded that the student did not sit it; counts as nothing scored."""
    MISSING = "missing"
    """Nothing is recorded yet."""
    EXEMPT = "exempt"
    """Need not sit it; does not count."""


class CardStudent(_Part):
    """Whose card it is."""

    name: str
    """In full, as the card heads it."""
    student_no: str
    class_name: str = Field(alias="class")
    """As people say it: ``JSS 2 Ruby``."""
    gender: str
    """``Male`` or ``Female``."""
    avatar_url: str | None = None
    """The photo's key in the object store; never an address that is fetched."""
    id: str = ""
    """The student's id in the records."""
    family_name: str = ""
    given_names: str = ""


class CardSchool(_Part):
    """The school as the card's head shows it."""

    name: str
    logo: str | None = None
    """The logo's key in the object store; never an address that is fetched."""
    address: str = ""
    """Lines parted by line feeds."""
    phone: str = ""
    email: str = ""
    motto: str = ""


class Column(_Part):
    """One assessment that subjects of this card are marked by; in the order of the columns."""

    name: str
    max: int


class TermScore(_Part):
    """A figure of one term of the session."""

    term: str
    score: Figure | None = None
    """0-100; None: no result in that term."""


class SubjectLine(_Part):
    """One subject's line."""

    name: str
    assessments: dict[str, Figure | None]
    """Marks by the assessment's name; None where there is none: ``not_scored`` says why."""
    not_scored: dict[str, NotScored] = {}
    total: Figure | None
    """The sum of the marks there are; None where there is none."""
    score: Figure | None = None
    """The total as a percentage of what could be reached; None unless the marks are complete."""
    grade: str | None
    position: int | None
    """Among those of the class with a complete result in the subject."""
    position_shared: bool = False
    """Others have the same position."""
    class_average: Figure | None
    highest: Figure | None = None
    lowest: Figure | None = None
    subject_class_size: int = 0
    """How many of the class have a complete result in it."""
    absent: bool = False
    """Absent from everything that counts: no grade, no position, not in the averages."""
    missing: bool = False
    """At least one mark is not recorded: no grade, no position, not in the averages."""
    exempt: bool = False
    """Exempt from everything."""
    remark: str = ""
    """The grade's own word: ``Excellent``."""
    teacher_remark: str = ""
    teacher: str = ""
    terms: tuple[TermScore, ...] = ()
    """The session's terms up to this one; on third-term cards only."""
    cumulative: Figure | None = None
    """The weighted mean of the terms; on third-term cards only."""
    cumulative_grade: str | None = None


class CardAttendance(_Part):
    """How often the student was there."""

    days_present: int
    """Late counts as present."""
    total_days: int
    """School days of the term on which the class's register was marked."""


class Cumulative(_Part):
    """The session as a whole: on third-term cards only."""

    terms: tuple[TermScore, ...]
    average: Figure | None
    grade: str | None = None
    position: int | None = None
    position_shared: bool = False
    promotion: Literal["promoted", "repeat"] | None = None
    """None: the rule can't be applied, or the school decides it by hand."""
    sentence: str = ""
    """The decision and its reason, for the reader of the card."""


class Rating(_Part):
    """How the class teacher rates one trait or skill."""

    group: Literal["psychomotor", "affective"]
    name: str
    score: int | None
    of: int = 5


class Signature(_Part):
    """Who signs the card."""

    title: str
    name: str = ""
    image_key: str | None = None
    """The signature's picture in the object store; None: a line to sign on."""


class TermAverage(_Part):
    """A point of the small chart."""

    term: str
    average: Figure


class PolicyBand(_Part):
    """A grade and its range of whole scores, both ends included."""

    grade: str
    from_: int = Field(alias="from")
    to: int
    remark: str = ""


class CardPolicy(_Part):
    """The grading policy that the card was worked out by; its bands are the card's key to grades."""

    name: str
    version: int
    bands: tuple[PolicyBand, ...]
    pass_mark: int = Field(alias="pass")


class Card(_Part):
    """One student's report card of one term."""

    student: CardStudent
    school: CardSchool
    session: str
    term: str
    term_number: int = 0
    columns: tuple[Column, ...] = ()
    """Every assessment of any subject, in order; a subject may lack some. Empty: as the subjects name them."""
    subjects: tuple[SubjectLine, ...]
    attendance: CardAttendance | None
    """None: no register was marked."""
    overall_average: Figure | None
    overall_grade: str | None
    class_position: int | None
    position_shared: bool = False
    total_in_class: int
    """Students of the class, with a result or not."""
    ranked_in_class: int = 0
    """Students of the class that have a position."""
    class_average: Figure | None = None
    """The mean of the class's overall averages."""
    principal_remark: str = ""
    principal: str = ""
    class_teacher_remark: str = ""
    class_teacher: str = ""
    next_term_begins: date | None = None
    """Always a school day; None: not known yet."""
    cumulative: Cumulative | None = None
    ratings: tuple[Rating, ...] = ()
    signatures: tuple[Signature, ...] = ()
    trend: tuple[TermAverage, ...] = ()
    """Overall averages of the student's terms, oldest first, this one last."""
    policy: CardPolicy | None = None
    serial: str = ""
    """The number printed on the card and answered for by the verify page; empty before it is finalised."""
    snapshot_hash: str = ""
    """SHA-256 of the content, in hex; empty before it is finalised."""
    finalised_on: date | None = None
    withheld: str | None = None
    """Why the card may not be handed out now; None: it may."""

    @property
    def columns_shown(self) -> tuple[str, ...]:
        """Return the names of the assessment columns, in order."""
        named = [column.name for column in self.columns]
        return tuple(dict.fromkeys(named or [name for line in self.subjects for name in line.assessments]))

    def content(self) -> str:
        """Return what the hash is of: canonical JSON of all but what is given to the card when it is finalised."""
        body = self.model_dump(mode="json", by_alias=True, exclude=_NOT_CONTENT)
        return canonical(body)


_NOT_CONTENT = {"serial", "snapshot_hash", "finalised_on", "withheld"}


def canonical(body: Any) -> str:
    """Return the one text of a JSON value: names sorted, no blanks, letters as they are."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def content_hash(content: str) -> str:
    """Return the SHA-256 of a card's content, in hex."""
    return hashlib.sha256(content.encode()).hexdigest()


_COLOUR = r"^#[0-9a-fA-F]{6}$"


class SignatureLine(_Part):
    """A line of the card's foot, as the school lays it down."""

    title: str = Field(min_length=1, max_length=40)
    signer: Literal["class_teacher", "principal", "named"] = "named"
    """Whose name stands there: the class's teacher, the principal, or the one named here."""
    name: str = Field(default="", max_length=80)
    image_key: str | None = None


class CardStyle(_Part):
    """How a school's cards look: its data, not code."""

    title: str = Field(default="Report card", min_length=1, max_length=60)
    motto: str = Field(default="", max_length=120)
    primary: str = Field(default="#1f3a5f", pattern=_COLOUR)
    """Heads and lines."""
    accent: str = Field(default="#c8963e", pattern=_COLOUR)
    text: str = Field(default="#1b1b1b", pattern=_COLOUR)
    font: Literal["sans", "serif"] = "sans"
    logo_key: str | None = None
    address_lines: tuple[Annotated[str, Field(max_length=80)], ...] = Field(default=(), max_length=4)
    """Empty: the address in the school's profile."""
    show_photo: bool = True
    show_position: bool = True
    show_class_average: bool = True
    show_highest_lowest: bool = False
    show_assessments: bool = True
    """A column for each assessment; without, totals alone."""
    show_attendance: bool = True
    show_ratings: bool = True
    show_trend: bool = True
    show_key: bool = True
    show_teacher_remarks: bool = True
    show_next_term: bool = True
    signature_lines: tuple[SignatureLine, ...] = Field(
        default=(
            SignatureLine(title="Class teacher", signer="class_teacher"),
            SignatureLine(title="Principal", signer="principal"),
        ),
        max_length=4,
    )
    tagged: bool = False
    """Accessible PDF: larger and slower, read aloud rightly."""
