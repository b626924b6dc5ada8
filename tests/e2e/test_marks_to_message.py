"""The first whole slice on real input: empty database, spreadsheets, a class sheet, the guardians' messages."""

import io
import json
import re
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import openpyxl
import pytest

from core.school.marks.class_sheet import FIRST_COMPONENT, FIRST_ROW, MARKS
from tests.e2e.test_up import START_S, Installation
from tests.factories.collector import CollectedSpan, Collector
from tests.factories.spreadsheets import workbook

CLASS_SIZE = 40
PATIENCE_S = 90
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

pytestmark = pytest.mark.timeout(2 * START_S)


def family(n: int) -> str:
    """Return a family's name; no two are alike."""
    return f"Adébáyọ̀ {chr(ord('A') + n // 10)}{chr(ord('a') + n % 10)}"


def spreadsheets() -> dict[str, list[list[Any]]]:
    """Return a school of one class. Every student has a mother by SMS, every fourth a father by e-mail as well.

    The first mother has given no consent, so only her bell tells her. The second has two children in the class.
    """
    students = [
        [f"GHS/S/{n:04d}", family(n), "Fọlákẹ́" if n % 2 else "Ọlátúndé", "F" if n % 2 else "M", None, "JSS 2 Ruby"]
        for n in range(CLASS_SIZE)
    ]
    mothers = [
        ["Mrs", family(n), "Yétúndé", "mother", "GHS/S/0001; GHS/S/0002" if n == 1 else f"GHS/S/{n:04d}",
         f"0803 555 {n:04d}", None, "yes" if n else "no", "no"]
        for n in range(CLASS_SIZE) if n != 2
    ]  # fmt: skip
    fathers = [
        ["Mr", family(n), "Ayọ̀délé", "father", f"GHS/S/{n:04d}", None, f"father{n}@home.example", "no", "yes"]
        for n in range(0, CLASS_SIZE, 4)
    ]
    return {
        "Sessions": [["Session", "Term", "Starts", "Ends"], ["2027/2028", 1, "13/09/2027", "17/12/2027"]],
        "Classes": [["Level", "Arm", "Class teacher"], ["JSS 2", "Ruby", "T/2"]],
        "Subjects": [["Code", "Name", "Department"], ["MTH", "Mathematics", "Sciences"]],
        "Staff": [
            ["Staff number", "Title", "Surname", "First name", "Email", "Roles", "Heads department"],
            ["T/1", "Mrs", "Okonkwo", "Ngozi", "head@ghs.example", "HOD", "Sciences"],
            ["T/2", "Mr", "Bello", "Musa", "teacher@ghs.example", "teacher; class teacher", None],
            ["T/3", "Dr", "Eze", "Ada", "principal@ghs.example", "principal", None],
        ],
        "Students": [["Admission No", "Surname", "First name", "Sex", "DOB", "Class"], *students],
        "Guardians": [
            ["Title", "Surname", "First name", "Relationship", "Student numbers", "Phone", "Email",
             "Consent SMS", "Consent email"],
            *mothers, *fathers,
        ],
        "Teaching loads": [
            ["Session", "Class", "Subject", "Staff number", "Periods per week"],
            ["2027/2028", "JSS 2 Ruby", "MTH", "T/2", 5],
        ],
    }  # fmt: skip


@dataclass
class Person:
    """Someone who is logged in."""

    http: httpx.Client
    token: str

    def ask(self, method: str, path: str, expect: int = 200, **given: Any) -> httpx.Response:
        """Send a request and return the answer that was expected."""
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": str(uuid.uuid4())}
        headers |= given.pop("headers", {})
        answer = self.http.request(method, path, headers=headers, **given)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def move(self, sheet_id: str, action: str, **body: Any) -> httpx.Response:
        """Take a mark sheet one step further, from the version that is there now."""
        version = self.ask("GET", f"/api/school/mark-sheets/{sheet_id}").json()["version"]
        path = f"/api/school/mark-sheets/{sheet_id}/{action}"
        return self.ask("POST", path, headers={"If-Match": f'"{version}"'}, json=body)


@dataclass
class School:
    """The school that the test sets up, and everyone in it who acts."""

    http: httpx.Client
    mailroom: Path
    collector: Collector
    people: dict[str, Person] = field(default_factory=dict)

    def received(self, name: str) -> list[dict[str, Any]]:
        """Return what a provider has received."""
        place = self.mailroom / name
        return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


@pytest.fixture(scope="module")
def school() -> Iterator[School]:
    """A system brought up from nothing, with an empty database and a collector of traces."""
    with Collector() as collector, TemporaryDirectory(prefix="schoolos-slice-") as name:
        given = {"SCHOOLOS_TELEMETRY_OTLP_ENDPOINT": collector.endpoint}
        installation = Installation(Path(name), given)
        said = installation.run("up", "--detach", "--no-demo")
        (password,) = re.findall(r"admin / (\S+)", said)
        with httpx.Client(base_url=installation.url, timeout=60) as http:
            made = School(http, Path(name) / "mailroom", collector)
            made.people["platform"] = log_in(http, None, "admin", password)
            yield made
        installation.run("down")
        assert installation.left() == []


def log_in(http: httpx.Client, school: str | None, username: str, password: str) -> Person:
    """Return someone with a fresh token."""
    answer = http.post("/api/auth/token", json={"school": school, "username": username, "password": password})
    assert answer.status_code == 200, answer.text
    return Person(http, answer.json()["accessToken"])


def activate(http: httpx.Client, invitation: dict[str, Any], username: str) -> Person:
    """Set the password that an invitation allows to be set, and log in with it."""
    password = uuid.uuid4().hex
    answer = http.post("/api/auth/activate", json={"code": invitation["code"], "password": password})
    assert answer.status_code == 200, answer.text
    return log_in(http, "ghs", username, password)


def test_a_school_is_founded_and_set_up_from_its_spreadsheets(school: School) -> None:
    """A dry run writes nothing; the import makes the school; its people get in by invitation."""
    founded = school.people["platform"].ask(
        "POST", "/api/platform/schools", 201,
        json={"code": "ghs", "name": "Government High School", "admin": {"username": "office", "displayName": "Admin"}},
    ).json()  # fmt: skip
    admin = school.people["admin"] = activate(school.http, founded["admin"]["invitation"], "office")
    files = {"file": ("school.xlsx", workbook(spreadsheets()), XLSX)}
    admin.ask("POST", "/api/school/imports?dryRun=true", files=files)
    assert admin.ask("GET", "/api/school/students").json()["items"] == []
    admin.ask("POST", "/api/school/imports", 201, files=files)
    at_once = {"kind": "notification", "name": "At once", "body": {"holdBackMinutes": 0, "quietHours": None}}
    admin.ask("POST", "/api/school/policies", 201, json=at_once)  # the test does not wait for the school's morning
    users = admin.ask("GET", "/api/school/users?limit=100").json()["items"]
    for role, username in (("teacher", "teacher@ghs.example"), ("head", "head@ghs.example"),
                           ("principal", "principal@ghs.example")):  # fmt: skip
        (user,) = [each for each in users if each["username"] == username]
        invitation = admin.ask("POST", f"/api/school/users/{user['id']}/invitations", 201).json()
        school.people[role] = activate(school.http, invitation, username)


def test_marks_reach_every_guardian_once(school: School) -> None:
    """The sheet goes up by the portals' own path, through the chain, and out: one message each, by their channel."""
    sheet_id = upload_marks(school)
    school.people["teacher"].move(sheet_id, "submit")
    school.people["head"].move(sheet_id, "approve")
    school.people["principal"].move(sheet_id, "approve")
    school.people["principal"].move(sheet_id, "publish")
    states = await_deliveries(school)
    # 39 mothers, one of them for two children, and ten fathers; everyone has the bell.
    assert states == {("push", "sent"): 50, ("sms", "sent"): 39, ("sms", "skipped"): 11, ("email", "sent"): 10,
                      ("email", "skipped"): 40}  # fmt: skip
    texts = Counter(each["number"] for each in school.received("sms.jsonl"))
    assert texts == {f"+234803555{n:04d}": 2 if n == 1 else 1 for n in range(1, CLASS_SIZE) if n != 2}
    mails = Counter(each["recipient"] for each in school.received("mails.jsonl"))
    assert mails == {f"father{n}@home.example": 1 for n in range(0, CLASS_SIZE, 4)}


def upload_marks(school: School) -> str:
    """Open the sheet, fill in the workbook as a teacher would, and upload it."""
    teacher = school.people["teacher"]
    arm, subject, term = (
        school.people["admin"].ask("GET", f"/api/school/{name}").json()["items"][0]["id"]
        for name in ("class-arms", "subjects", "terms")
    )
    opened = {"termId": term, "classArmId": arm, "subjectId": subject}
    sheet = teacher.ask("POST", "/api/school/mark-sheets", json=opened).json()
    sheet_id: str = sheet["id"]
    book = openpyxl.load_workbook(
        io.BytesIO(teacher.ask("GET", f"/api/school/mark-sheets/{sheet_id}/workbook.xlsx").content)
    )
    for row in range(FIRST_ROW, FIRST_ROW + CLASS_SIZE):
        for column in range(FIRST_COMPONENT, FIRST_COMPONENT + 4):
            book[MARKS].cell(row, column).value = (row * 7 + column * 3) % 10
    filled = io.BytesIO()
    book.save(filled)
    files = {"file": ("marks.xlsx", filled.getvalue(), XLSX)}
    told = teacher.ask("POST", "/api/bff/teacher/scores/bulk-upload", files=files).json()
    assert told["changed"] == 4 * CLASS_SIZE
    return sheet_id


def await_deliveries(school: School, event_type: str = "scores.published") -> Counter[tuple[str, str]]:
    """Wait until nothing of a kind is under way and return how many deliveries ended how, by channel."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = [each for each in deliveries(school) if each["eventType"] == event_type]
        if found and all(each["state"] in {"sent", "skipped", "dead"} for each in found):
            return Counter((each["channel"], each["state"]) for each in found)
        assert time.monotonic() < deadline, Counter((each["channel"], each["state"]) for each in found)
        time.sleep(0.2)


def deliveries(school: School) -> list[dict[str, Any]]:
    """Return every delivery of the school, page by page."""
    found, cursor = [], ""
    while True:
        path = f"/api/notifications/deliveries?limit=100{cursor}"
        page = school.people["principal"].ask("GET", path).json()
        found += page["items"]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"


def test_a_second_publication_is_refused_and_tells_nobody(school: School) -> None:
    """What is published is locked: marks can't be changed, and publishing again emits nothing."""
    before = len(deliveries(school))
    (sheet,) = school.people["principal"].ask("GET", "/api/school/mark-sheets?state=published").json()["items"]
    headers = {"If-Match": f'"{sheet["version"]}"'}
    school.people["principal"].ask("POST", f"/api/school/mark-sheets/{sheet['id']}/publish", 409, headers=headers)
    assert len(deliveries(school)) == before


def test_one_trace_runs_from_the_request_to_the_provider(school: School) -> None:
    """The publication's spans, over four processes, share one trace and hang together without a gap."""
    spans = await_trace(school)
    names = Counter(span.name for span in spans)
    assert names["POST /api/school/mark-sheets/{sheet_id}/publish"] == 1
    assert names["EmitScoresPublished"] == names["xadd"] == names["handle-scores-published"] == 1
    assert (names["deliver-sms"], names["deliver-email"]) == (39, 10)
    known = {span.span_id for span in spans}
    orphans = [span.name for span in spans if span.parent_id and span.parent_id not in known]
    assert orphans == []
    assert len([span for span in spans if not span.parent_id]) == 1
    told = " ".join(value for span in spans for value in span.attributes.values())
    assert not re.search(r"Ad[ée]b|803555|@home|Mathematics", told)


def await_trace(school: School) -> list[CollectedSpan]:
    """Wait until the exporters have sent the whole trace of the publication and return its spans."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        spans = school.collector.spans()
        traces = [span.trace_id for span in spans if span.name.endswith("/publish") and "200" in str(span.attributes)]
        found = [span for span in spans if traces and span.trace_id == traces[0]]
        names = {span.name for span in found}
        if sum(span.name.startswith("deliver-") for span in found) >= 49 and names >= {
            "xadd",
            "handle-scores-published",
        }:
            return found  # each process sends its own part, some seconds apart
        assert time.monotonic() < deadline, Counter(span.name for span in found)
        time.sleep(0.2)


def test_a_guardian_reads_the_bell_and_only_her_own(school: School) -> None:
    """A mother of two has two notes; she marks one read; another's note is not there for her."""
    admin = school.people["admin"]
    users = admin.ask("GET", "/api/school/users?role=guardian&limit=100").json()["items"]
    (mother,) = [each for each in users if each["username"] == "+2348035550001"]
    (other,) = [each for each in users if each["username"] == "+2348035550003"]
    persons = [
        activate(school.http, admin.ask("POST", f"/api/school/users/{user['id']}/invitations", 201).json(),
                 user["username"])
        for user in (mother, other)
    ]  # fmt: skip
    bell = persons[0].ask("GET", "/api/notifications").json()
    assert (bell["total"], bell["unread"]) == (2, 2)
    note = bell["items"][0]["id"]
    persons[1].ask("POST", f"/api/notifications/{note}/read", 404)
    persons[0].ask("POST", f"/api/notifications/{note}/read")
    assert persons[0].ask("GET", "/api/notifications/unread-count").json()["unread"] == 1
    persons[0].ask("GET", f"/api/notifications?userId={other['id']}", 404)


def test_cards_reach_every_guardian_and_only_hers(school: School) -> None:
    """The class's cards are printed, packed and published; each mother is told and downloads her own child's."""
    principal, admin = school.people["principal"], school.people["admin"]
    job = printed_batch(school)
    assert (job["status"], job["progress"], job["failed"]) == ("completed", CLASS_SIZE, 0), job
    archive = followed(school, principal, f"/api/reports/jobs/{job['jobId']}/download")
    students = {each["id"] for each in admin.ask("GET", "/api/school/students?limit=100").json()["items"]}
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        names = set(files.namelist())
        assert names == {f"{student}-report-card.pdf" for student in students} | {"manifest.json"}
    told = len(school.received("sms.jsonl"))
    publication = principal.ask("POST", f"/api/reports/jobs/{job['jobId']}/publish").json()
    assert set(publication["published"]) == students
    states = await_deliveries(school, "reports.published")
    assert states["sms", "sent"] == len(school.received("sms.jsonl")) - told == 39
    assert principal.ask("POST", f"/api/reports/jobs/{job['jobId']}/publish").json()["published"] == []
    mother = log_in_mother(school, 5)
    (card,) = mother.ask("GET", "/api/reports/published-cards").json()["cards"]
    assert followed(school, mother, card["href"]).startswith(b"%PDF")
    stranger = next(iter(students - {card["studentId"]}))
    mother.ask("GET", card["href"].replace(card["studentId"], stranger), 404)


def printed_batch(school: School) -> dict[str, Any]:
    """Have the whole school's cards printed, and return the batch when it has ended."""
    principal = school.people["principal"]
    term = school.people["admin"].ask("GET", "/api/school/terms").json()["items"][0]
    wanted = {"sessionId": term["sessionId"], "termId": term["id"]}
    begun = principal.ask("POST", "/api/reports/generate", 202, json=wanted).json()
    deadline = time.monotonic() + PATIENCE_S
    while True:
        job: dict[str, Any] = principal.ask("GET", f"/api/reports/jobs/{begun['jobId']}").json()
        if job["finishedAt"]:
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.2)


def followed(school: School, person: Person, path: str) -> bytes:
    """Return what a link of a route leads to."""
    return school.http.get(person.ask("GET", path, 302).headers["location"]).content


def log_in_mother(school: School, number: int) -> Person:
    """Return a mother by the number of her child, with a fresh password."""
    admin = school.people["admin"]
    users = admin.ask("GET", "/api/school/users?role=guardian&limit=100").json()["items"]
    (user,) = [each for each in users if each["username"] == f"+234803555{number:04d}"]
    return activate(
        school.http, admin.ask("POST", f"/api/school/users/{user['id']}/invitations", 201).json(), user["username"]
    )
