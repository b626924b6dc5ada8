"""What a school's records are: the types that every part of the school shares."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from core.access.principal import Role
from core.ids import (
    ClassArmId,
    ClosureId,
    ConsentId,
    DepartmentId,
    GuardianId,
    LevelId,
    PolicyId,
    SchoolId,
    SessionId,
    StaffId,
    StudentId,
    SubjectId,
    TeachingLoadId,
    TermId,
    UserId,
)


class Stage(StrEnum):
    """The two halves of secondary school; policies may differ between them."""

    JSS = "JSS"
    SSS = "SSS"


class Gender(StrEnum):
    """A student's gender, as the school registers it."""

    FEMALE = "female"
    MALE = "male"


class Channel(StrEnum):
    """A way by which a message reaches a person. ``push`` is the app's own bell too."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class Language(StrEnum):
    """A language that messages are written in: English, Yoruba, Hausa, Igbo, Nigerian Pidgin (ISO 639)."""

    EN = "en"
    YO = "yo"
    HA = "ha"
    IG = "ig"
    PCM = "pcm"


class PolicyKind(StrEnum):
    """What a policy rules."""

    ASSESSMENT = "assessment"
    GRADING = "grading"
    APPROVAL = "approval"
    FEE_REMINDER = "fee_reminder"
    SMS_BUDGET = "sms_budget"
    SMS_PRICING = "sms_pricing"
    SMS_TEXT = "sms_text"
    NOTIFICATION = "notification"
    MESSAGE_TEMPLATES = "message_templates"
    MESSAGE_RETENTION = "message_retention"
    REPORT = "report"
    REPORT_RELEASE = "report_release"


STAFF_ROLES = frozenset(
    {
        Role.SCHOOL_ADMIN,
        Role.PRINCIPAL,
        Role.HEAD_OF_DEPARTMENT,
        Role.CLASS_TEACHER,
        Role.SUBJECT_TEACHER,
        Role.BURSAR,
    }
)
"""Roles that a member of staff may hold. They are given by name, never by being put in charge of something."""

DEFAULT_CHANNEL_ORDER = (Channel.SMS, Channel.EMAIL, Channel.PUSH)


@dataclass(frozen=True, slots=True, kw_only=True)
class School:
    """A school's profile."""

    id: SchoolId
    code: str
    name: str
    address: str
    phone: str | None
    email: str | None
    time_zone: str
    currency: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AcademicSession:
    """A school year such as 2027/2028."""

    id: SessionId
    name: str
    starts_on: date
    ends_on: date
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One of the three terms of a session. A closed one stays as it is."""

    id: TermId
    session_id: SessionId
    number: int
    name: str
    starts_on: date
    ends_on: date
    closed_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Days within a term on which there is no school: Independence Day, a mid-term break."""

    id: ClosureId
    name: str
    starts_on: date
    ends_on: date
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A year of study such as JSS 2; ``rank`` orders them."""

    id: LevelId
    name: str
    stage: Stage
    rank: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassArm:
    """A class of a level: 'Ruby', which people call 'JSS 2 Ruby'."""

    id: ClassArmId
    level_id: LevelId
    level_name: str
    stage: Stage
    name: str
    class_teacher_id: StaffId | None
    version: int

    @property
    def full_name(self) -> str:
        """The name people use: 'JSS 2 Ruby'."""
        return f"{self.level_name} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """A group of subjects under one head."""

    id: DepartmentId
    name: str
    head_id: StaffId | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is taught."""

    id: SubjectId
    code: str
    name: str
    department_id: DepartmentId | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """A student, of the present or of the past."""

    id: StudentId
    student_no: str
    family_name: str
    given_names: str
    gender: Gender
    date_of_birth: date | None
    left_on: date | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardian:
    """Someone who is written to about a student."""

    id: GuardianId
    title: str
    family_name: str
    given_names: str
    language: Language
    phone: str | None
    """E.164."""
    email: str | None
    channel_order: tuple[Channel, ...]
    version: int
    consented: tuple[Channel, ...] = ()
    """Channels whose newest consent allows them."""
    contact_hidden: bool = False
    """True where phone and email are left out because the reader may not see them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardianship:
    """That a guardian stands for a student. Each has several of the other."""

    guardian_id: GuardianId
    student_id: StudentId
    relationship: str
    receives_messages: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A student as the guardian knows it: who, how they belong together, and the present class."""

    student: Student
    relationship: str
    receives_messages: bool
    class_arm_id: ClassArmId | None
    class_arm_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """That a guardian allowed or refused a channel. The newest of a channel counts."""

    id: ConsentId
    guardian_id: GuardianId
    channel: Channel
    granted: bool
    source: str
    """'form', 'portal' or 'import'."""
    recorded_by: UserId | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """A member of staff; the roles are those of the account."""

    id: StaffId
    staff_no: str
    title: str
    family_name: str
    given_names: str
    email: str | None
    phone: str | None
    active: bool
    roles: tuple[Role, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachingLoad:
    """Who teaches what to which arm in a session."""

    id: TeachingLoadId
    session_id: SessionId
    class_arm_id: ClassArmId
    subject_id: SubjectId
    staff_id: StaffId
    periods_per_week: int
    elective: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """The arm a student is in during a session."""

    session_id: SessionId
    student_id: StudentId
    class_arm_id: ClassArmId
    class_arm_name: str
    """'JSS 2 Ruby'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectiveChoice:
    """That a student takes an elective subject in a session."""

    session_id: SessionId
    student_id: StudentId
    subject_id: SubjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of a policy. It never changes; a change is a new version."""

    id: PolicyId
    kind: PolicyKind
    stage: Stage | None
    """None where it holds for every stage that has none of its own."""
    version: int
    name: str
    body: dict[str, Any]
    created_at: datetime


def display_name(family_name: str, given_names: str) -> str:
    """Return the name as registers write it: family name first."""
    return f"{family_name} {given_names}".strip()
