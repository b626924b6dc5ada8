"""What routes of report cards' data send and take."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from core.ids import StudentId
from core.reports.comments import LONGEST, RemarkKind, Warned
from core.reports.entering import ClassEntries, Kept, NewRating, NewRemark
from core.reports.entry_store import BankedComment, Rated, Remark
from core.reports.preflight import Checked, Lack, Severity
from core.reports.release_store import ReleaseAction, ReleaseEntry
from core.reports.snapshot_store import Snapshot
from core.reports.snapshots import Finalised
from core.school.model import display_name
from core.school.report_policies import Finding
from deployments.ground.wire import Wire, WireRequest

Trait = Annotated[str, Field(min_length=1, max_length=40)]
Scores = Annotated[
    dict[Trait, Annotated[int, Field(ge=1, le=5)]],
    Field(max_length=32, description="1 to 5 by trait.", examples=[{"Punctuality": 4, "Handwriting": 3}]),
]
RemarkText = Annotated[
    str,
    Field(
        max_length=LONGEST,
        pattern=r"^[^\x00-\x08\x0b-\x1f]*$",
        description="May hold {first_name}, {he_she}, {him_her}, {his_her}, {his_hers}, {himself_herself}; "
        "capitals as in {He_She}.",
        examples=["{first_name} has worked with care; {he_she} should read more."],
    ),
]
Version = Annotated[int | None, Field(ge=0, description="The version it was made from, 0 for none; null: any.")]


class RatingsIn(WireRequest):
    """One student's ratings; they take the place of those before."""

    scores: Scores


class RatedStudentIn(RatingsIn):
    """One student of a class."""

    student_id: UUID
    version: Version = None

    def to_rating(self) -> NewRating:
        """Return it as the use case takes it."""
        return NewRating(student_id=StudentId(self.student_id), scores=self.scores, version=self.version)


class ClassRatingsIn(WireRequest):
    """Ratings of several students of a class."""

    ratings: Annotated[list[RatedStudentIn], Field(min_length=1, max_length=200)]


class RatingsOut(Wire):
    """One student's ratings; version 0 where there are none."""

    student_id: UUID
    scores: dict[str, int]
    version: int
    updated_at: datetime | None

    @classmethod
    def of(cls, rated: Rated) -> Self:
        """Return ratings on the wire."""
        return cls.model_validate(rated)


class RemarkIn(WireRequest):
    """A remark; an empty one takes it back."""

    text: RemarkText


class RemarkedStudentIn(RemarkIn):
    """A remark about one student of a class."""

    student_id: UUID
    version: Version = None

    def to_remark(self) -> NewRemark:
        """Return it as the use case takes it."""
        return NewRemark(student_id=StudentId(self.student_id), text=self.text, version=self.version)


class ClassRemarksIn(WireRequest):
    """Remarks about several students of a class."""

    remarks: Annotated[list[RemarkedStudentIn], Field(min_length=1, max_length=200)]


class WarningOut(Wire):
    """A place of a remark that may be wrong; it is kept all the same."""

    code: str = Field(examples=["other_student", "wrong_pronoun"])
    start: int = Field(description="In characters of the text; the end is not included.")
    end: int
    word: str
    sentence: str

    @classmethod
    def of(cls, warned: Warned) -> Self:
        """Return a warning on the wire."""
        return cls.model_validate(warned)


class RemarkOut(Wire):
    """A remark; version 0 and no text where there is none."""

    student_id: UUID
    kind: RemarkKind
    subject_id: UUID | None
    text: str
    version: int
    updated_at: datetime | None
    warnings: list[WarningOut] = Field(description="Of a remark just written: where it may be wrong.")

    @classmethod
    def of(cls, remark: Remark, warned: tuple[Warned, ...] = ()) -> Self:
        """Return a remark on the wire."""
        return cls(
            student_id=remark.student_id,
            kind=remark.kind,
            subject_id=remark.subject_id,
            text=remark.text,
            version=remark.version,
            updated_at=remark.updated_at,
            warnings=[WarningOut.of(each) for each in warned],
        )

    @classmethod
    def kept(cls, kept: Kept) -> Self:
        """Return a remark just written."""
        return cls.of(kept.remark, kept.warned)


class EntriesOut(Wire):
    """What is entered for one student."""

    student_id: UUID
    student_no: str
    name: str
    ratings: RatingsOut
    remarks: list[RemarkOut]


class ClassEntriesOut(Wire):
    """What is entered for a class."""

    affective: list[str]
    psychomotor: list[str]
    students: list[EntriesOut]

    @classmethod
    def of(cls, found: ClassEntries) -> Self:
        """Return a class's entries on the wire."""
        return cls(
            affective=list(found.rules.affective),
            psychomotor=list(found.rules.psychomotor),
            students=[
                EntriesOut(
                    student_id=student.id,
                    student_no=student.student_no,
                    name=student.name,
                    ratings=RatingsOut.of(
                        found.ratings.get(student.id, Rated(student_id=student.id, scores={}, version=0))
                    ),
                    remarks=[RemarkOut.of(remark) for remark in found.remarks.get(student.id, ())],
                )
                for student in found.students
            ],
        )


class BankTextIn(WireRequest):
    """A remark for the bank."""

    kind: RemarkKind
    from_score: Annotated[int, Field(ge=0, le=100)] = 0
    to_score: Annotated[int, Field(ge=0, le=100)] = 100
    text: Annotated[RemarkText, Field(min_length=1)]


class BankedOut(Wire):
    """A remark of the bank; it suits averages from and to these."""

    id: UUID
    kind: RemarkKind
    from_score: int
    to_score: int
    text: str
    version: int

    @classmethod
    def of(cls, banked: BankedComment) -> Self:
        """Return a remark of the bank on the wire."""
        return cls.model_validate(banked)


class SuggestionsOut(Wire):
    """Remarks of the bank, filled in for a student."""

    texts: list[str]


class StudentsIn(WireRequest):
    """Which students."""

    student_ids: Annotated[list[UUID], Field(min_length=1, max_length=2_000)]

    def to_ids(self) -> list[StudentId]:
        """Return the ids."""
        return [StudentId(each) for each in self.student_ids]


class LackOut(Wire):
    """One thing that a student's card lacks, and who can mend it where."""

    student_id: UUID
    student_no: str
    student_name: str
    class_arm_id: UUID
    class_arm_name: str
    what: Finding
    severity: Severity
    sentence: str
    where: str = Field(description="The route at which it is mended.")
    subject_id: UUID | None
    sheet_id: UUID | None
    responsible_id: UUID | None
    responsible_name: str

    @classmethod
    def of(cls, lack: Lack) -> Self:
        """Return a lack on the wire."""
        return cls.model_validate(lack)


class PreflightOut(Wire):
    """What cards lack before they are made."""

    students: int
    ready: int = Field(description="Students whose cards nothing blocks.")
    findings: list[LackOut]

    @classmethod
    def of(cls, checked: Checked) -> Self:
        """Return a pre-flight on the wire."""
        findings = [LackOut.of(lack) for lack in checked.lacks]
        return cls(students=checked.students, ready=checked.ready, findings=findings)


class FinaliseIn(StudentsIn):
    """Whose cards are finalised."""

    even_if_blocked: Annotated[bool, Field(description="Make also cards that the pre-flight would leave out.")] = False


class SnapshotOut(Wire):
    """A finalised card without its content."""

    id: UUID
    student_id: UUID
    class_arm_id: UUID
    version: int = Field(description="Counts a student's finalised cards of one term.")
    serial: str = Field(examples=["7F3K-9QXM-2TBD"])
    content_hash: str
    taken_by: UUID | None
    taken_at: datetime

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Return a snapshot on the wire."""
        return cls.model_validate(snapshot)


class FinalisedOut(Wire):
    """What came of finalising."""

    snapshots: list[SnapshotOut]
    new: int
    reused: int = Field(description="Cards on which nothing has changed: they keep their serials.")
    blocked: list[LackOut] = Field(description="What stood in the way of the cards that were not made.")

    @classmethod
    def of(cls, finalised: Finalised) -> Self:
        """Return it on the wire."""
        return cls(
            snapshots=[SnapshotOut.of(each) for each in finalised.snapshots],
            new=len(finalised.snapshots) - len(finalised.reused),
            reused=len(finalised.reused),
            blocked=[LackOut.of(lack) for lack in finalised.blocked],
        )


class ReleaseIn(WireRequest):
    """Why a card goes out although fees are owed."""

    reason: Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f]*$")]


class ReleaseEntryOut(Wire):
    """One line of the release gate's log."""

    id: int
    student_id: UUID
    student_no: str
    student_name: str
    action: ReleaseAction
    owed_kobo: int | None
    reason: str
    actor_id: UUID | None
    at: datetime

    @classmethod
    def of(cls, entry: ReleaseEntry) -> Self:
        """Return a line on the wire."""
        return cls(
            id=entry.id,
            student_id=entry.student_id,
            student_no=entry.student_no,
            student_name=display_name(entry.family_name, entry.given_names),
            action=entry.action,
            owed_kobo=entry.owed_kobo,
            reason=entry.reason,
            actor_id=entry.actor_id,
            at=entry.at,
        )


class PictureOut(Wire):
    """A picture that was kept."""

    key: str = Field(description="Name it in the style, as `logoKey` or `imageKey`.")


class GenuineOut(Wire):
    """A card that was issued: no more than is needed to see that it is."""

    serial: str
    school: str
    student: str = Field(description="Initials, to be compared with the card.", examples=["A. T."])
    session: str
    term: str
    issued_on: date
    fingerprint: str = Field(description="The first digits of the content's hash, as printed on the card.")
    replaced: bool = Field(description="A later version of this card was issued.")
