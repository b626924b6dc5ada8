"""Requests to the routes of the records, as a table that the tests of access walk through."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.factories.school import MadeSchool

Body = Callable[[MadeSchool], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: the ids in its path and body are those of the school it is about."""

    method: str
    path: Callable[[MadeSchool], str]
    body: Body | None = None


def family(path: str, own_id: Callable[[MadeSchool], object], change: dict[str, Any]) -> list[Ask]:
    """Return the requests about one record of a family."""

    def address(school: MadeSchool) -> str:
        return f"/api/school/{path}/{own_id(school)}"

    return [Ask("GET", address), Ask("PATCH", address, lambda _: change), Ask("DELETE", address)]


def _first_load(school: MadeSchool) -> object:
    return next(iter(school.loads.values()))


def _first_staff(school: MadeSchool) -> object:
    return next(iter(school.staff.values()))


BY_ID: Sequence[Ask] = [
    *family("sessions", lambda s: s.session, {"endsOn": "2028-08-30"}),
    *family("terms", lambda s: s.terms[0], {"name": "Taken"}),
    *family("closures", lambda s: s.closure, {"name": "Taken"}),
    *family("levels", lambda s: s.level, {"name": "Taken"}),
    *family("class-arms", lambda s: s.arms[0], {"name": "Taken"}),
    *family("departments", lambda s: s.department, {"name": "Taken"}),
    *family("subjects", lambda s: s.subjects[0], {"name": "Taken"}),
    *family("students", lambda s: s.students[0], {"familyName": "Taken"}),
    *family("guardians", lambda s: s.guardians[0], {"familyName": "Taken"}),
    *family("staff", _first_staff, {"familyName": "Taken"}),
    *family("teaching-loads", _first_load, {"periodsPerWeek": 9}),
    Ask("POST", lambda s: f"/api/school/terms/{s.terms[0]}/close"),
    Ask("POST", lambda s: f"/api/school/terms/{s.terms[0]}/reopen"),
    Ask("GET", lambda s: f"/api/school/guardians/{s.guardians[0]}/consents"),
    Ask(
        "POST",
        lambda s: f"/api/school/guardians/{s.guardians[0]}/consents",
        lambda _: {"channel": "sms", "granted": False},
    ),
    Ask(
        "PUT",
        lambda s: f"/api/school/students/{s.students[0]}/guardians/{s.guardians[1]}",
        lambda _: {"relationship": "aunt"},
    ),
    Ask("DELETE", lambda s: f"/api/school/students/{s.students[0]}/guardians/{s.guardians[0]}"),
    Ask(
        "PUT",
        lambda s: f"/api/school/students/{s.students[0]}/electives/{s.session}",
        lambda _: {"subjectIds": []},
    ),
    Ask("DELETE", lambda s: f"/api/school/enrolments/{s.session}/{s.students[0]}"),
    Ask("GET", lambda s: f"/api/school/policies/{next(iter(s.policies.values()))}"),
]
"""Every route of the records that names one by its id."""

IN_BODIES: Sequence[Ask] = [
    Ask(
        "POST",
        lambda _: "/api/school/terms",
        lambda s: {
            "sessionId": str(s.session),
            "number": 1,
            "name": "X",
            "startsOn": "2027-09-02",
            "endsOn": "2027-10-01",
        },
    ),
    Ask("POST", lambda _: "/api/school/class-arms", lambda s: {"levelId": str(s.level), "name": "X"}),
    Ask("POST", lambda _: "/api/school/departments", lambda s: {"name": "X", "headId": str(_first_staff(s))}),
    Ask(
        "POST",
        lambda _: "/api/school/subjects",
        lambda s: {"code": "X", "name": "X", "departmentId": str(s.department)},
    ),
    Ask(
        "POST",
        lambda _: "/api/school/teaching-loads",
        lambda s: {
            "sessionId": str(s.session),
            "classArmId": str(s.arms[0]),
            "subjectId": str(s.subjects[0]),
            "staffId": str(_first_staff(s)),
            "periodsPerWeek": 3,
        },
    ),
    Ask(
        "POST",
        lambda _: "/api/school/enrolments",
        lambda s: {"sessionId": str(s.session), "classArmId": str(s.arms[0]), "studentIds": [str(s.students[0])]},
    ),
]
"""Every route of the records whose body names others by their ids."""

ADDED: dict[str, dict[str, Any]] = {
    "sessions": {"name": "2030/2031", "startsOn": "2030-09-01", "endsOn": "2031-08-01"},
    "closures": {"name": "Independence Day", "startsOn": "2027-10-01", "endsOn": "2027-10-01"},
    "levels": {"name": "SSS 1", "stage": "SSS", "rank": 4},
    "departments": {"name": "Arts"},
    "subjects": {"code": "BIO", "name": "Biology"},
    "students": {"studentNo": "S/9", "familyName": "Àjàyí", "givenNames": "Tọ́lá", "gender": "female"},
    "guardians": {"familyName": "Àjàyí", "givenNames": "Bọ́lá", "phone": "0803 555 1234", "email": "Bola@Example.com"},
    "staff": {"staffNo": "T/9", "familyName": "Musa", "givenNames": "Ɗanladi", "email": "musa@example.com"},
}
"""A body that adds a record of each family that refers to nothing."""
