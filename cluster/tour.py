"""The slice at work, as its users meet it: over HTTP, from an empty class sheet to the guardians' messages."""

import io
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import openpyxl

from core.access.principal import Role
from core.errors import Unavailable
from core.ids import StudentId
from core.school.marks.class_sheet import FIRST_COMPONENT, FIRST_ROW, MARKS
from core.school.marks.model import Mark, MarkStatus
from core.school.simulator.service import DemoSchool

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_STUDENT_NO = 2
"""The column of the class sheet that says whose row it is."""
_FINISHED = frozenset({"sent", "skipped", "dead"})
_PATIENCE_S = 60.0
"""A worker that dies meanwhile is replaced and its lease runs out in well under this."""


class Tour:
    """One walk through the demo school."""

    def __init__(self, url: str, school: DemoSchool, tell: Callable[[str], None]) -> None:
        self._url = url
        self._school = school
        self._tell = tell
        self._tokens: dict[Role, str] = {}
        self._sheet = f"/api/school/mark-sheets/{school.open_sheet.id}"

    def walk(self) -> None:
        """Play the slice where it was not played yet, and count the messages."""
        sheet = self._get(Role.SUBJECT_TEACHER, self._sheet)
        if sheet["state"] != "published":
            self._fill_in(sheet)
            self._approve()
        self._count_messages()

    def _fill_in(self, sheet: Mapping[str, Any]) -> None:
        if sheet["state"] != "draft":
            return
        workbook = self._ask(Role.SUBJECT_TEACHER, "GET", f"{self._sheet}/workbook.xlsx")
        self._tell(f"The teacher downloads the class sheet of {sheet['classArm']['name']}, {sheet['subject']['name']}")
        filled = fill(workbook, sheet, self._school.open_sheet.marks)
        body, content_type = _as_form(filled)
        told = self._ask(Role.SUBJECT_TEACHER, "POST", f"{self._sheet}/uploads", body, {"Content-Type": content_type})
        self._tell(f"fills it in and uploads it: {json.loads(told)['changed']} marks")
        self._move(Role.SUBJECT_TEACHER, "submit", {"force": True, "reason": "work not handed in stays without a mark"})

    def _approve(self) -> None:
        """Give each approval that is due, and publish."""
        while (sheet := self._get(Role.PRINCIPAL, self._sheet))["state"] != "published":
            waits_for = sheet["waitsFor"]
            if waits_for:
                self._move(Role(waits_for), "approve", {})
                self._tell(f"The {waits_for.replace('_', ' ')} approves")
            else:
                self._move(Role.PRINCIPAL, "publish", {})
                self._tell("The principal publishes: marks are locked, guardians are told")

    def _move(self, role: Role, action: str, body: Mapping[str, object]) -> None:
        version = self._get(role, self._sheet)["version"]
        headers = {"Content-Type": "application/json", "If-Match": f'"{version}"'}
        self._ask(role, "POST", f"{self._sheet}/{action}", json.dumps(body).encode(), headers)

    def _count_messages(self) -> None:
        began = time.monotonic()
        while True:
            found = self._deliveries()
            left = sum(each["state"] not in _FINISHED for each in found)
            if found and not left:
                break
            if time.monotonic() - began > _PATIENCE_S:
                raise Unavailable(f"{left} of {len(found)} messages are not delivered after {_PATIENCE_S:.0f} s")
            time.sleep(0.2)
        counted = Counter((each["state"], each["channel"]) for each in found)
        told = ", ".join(f"{count} {channel} {state}" for (state, channel), count in sorted(counted.items()))
        self._tell(f"{len(found)} messages: {told}")

    def _deliveries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
            page = self._get(Role.PRINCIPAL, f"/api/notifications/deliveries?{urlencode(query)}")
            found += page["items"]
            cursor = page.get("nextCursor")
            if cursor is None:
                return found

    def _get(self, role: Role, path: str) -> Any:
        return json.loads(self._ask(role, "GET", path))

    def _ask(
        self, role: Role, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """Send a request as the demo's person of a role. Raises ``Unavailable`` with what the answer said."""
        if role not in self._tokens:
            self._tokens[role] = self._log_in(role)
        given = {"Authorization": f"Bearer {self._tokens[role]}", "Idempotency-Key": str(uuid.uuid4())}
        return _send(self._url + path, method, body, given | dict(headers or {}))

    def _log_in(self, role: Role) -> str:
        username = next(login.username for login in self._school.logins if login.role is role)
        login = {"school": self._school.code, "username": username, "password": self._school.password}
        body, headers = json.dumps(login).encode(), {"Content-Type": "application/json"}
        token: str = json.loads(_send(f"{self._url}/api/auth/token", "POST", body, headers))["accessToken"]
        return token


def fill(workbook: bytes, sheet: Mapping[str, Any], marks: Mapping[tuple[StudentId, str], Mark]) -> bytes:
    """Return a downloaded class sheet with these marks typed in."""
    book = openpyxl.load_workbook(io.BytesIO(workbook))
    page = book[MARKS]
    ids = {student["studentNo"]: StudentId(uuid.UUID(student["studentId"])) for student in sheet["students"]}
    for row in range(FIRST_ROW, FIRST_ROW + len(ids)):
        student = ids[str(page.cell(row, _STUDENT_NO).value)]
        for column, component in enumerate(sheet["components"], start=FIRST_COMPONENT):
            if (mark := marks.get((student, component["code"]))) is not None:
                page.cell(row, column).value = "A" if mark.status is MarkStatus.ABSENT else mark.value
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _as_form(workbook: bytes) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="marks.xlsx"\r\n'
    parts: Sequence[bytes] = (
        head.encode(),
        f"Content-Type: {_XLSX}\r\n\r\n".encode(),
        workbook,
        f"\r\n--{boundary}--\r\n".encode(),
    )
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _send(url: str, method: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
    request = Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310 - our own address
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - our own address
            content: bytes = answer.read()
            return content
    except HTTPError as error:
        raise Unavailable(f"{method} {url} was answered {error.code}: {error.read().decode()[:500]}") from error
    except (URLError, OSError) as error:
        raise Unavailable(f"{method} {url} was not answered: {error}") from error
