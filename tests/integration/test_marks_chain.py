"""Marks go through the approval chain to one published event."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import format_trace_id

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.events.envelope import Event
from core.events.types import ScoresPublished, payload_of
from core.ids import EventId, new_id
from tests.factories.http import make_client, settings_for
from tests.factories.marks import ROWS, Desk, open_desk
from tests.factories.school import MadeSchool, make_school

SHEETS = "/api/school/mark-sheets"
TRACED = ("ParseExcelFile", "LookUpSheet", "SaveMarks")


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application in process, its files in a folder of this module."""
    folder: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, folder)) as made:
        yield made


@pytest.fixture
async def desk(client: httpx.AsyncClient, db: PostgresDatabase) -> Desk:
    """An opened sheet of a school of its own, with three students."""
    return await open_desk(client, await make_school(db))


async def published_events(db: PostgresDatabase, school: MadeSchool) -> list[ScoresPublished]:
    """Return what is in a school's outbox, oldest first."""
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT * FROM outbox ORDER BY position")
    events = [
        Event(
            id=EventId(row["id"]), type=row["type"], version=row["version"], school_id=school.id,
            occurred_at=row["occurred_at"], traceparent=row["traceparent"], payload=row["payload"],
        )
        for row in rows
    ]  # fmt: skip
    payloads = [payload_of(event) for event in events]
    assert all(isinstance(payload, ScoresPublished) for payload in payloads)
    return [payload for payload in payloads if isinstance(payload, ScoresPublished)]


async def test_marks_are_submitted_approved_and_published(desk: Desk, db: PostgresDatabase) -> None:
    """The policy's steps in turn lead to published, and one event tells of the students with marks."""
    await desk.upload(await desk.filled(ROWS[0], ("A", "A", "A", "A")))
    body = {"force": True, "reason": "the third student joined this week"}
    moved = (await desk.act("submit", Role.SUBJECT_TEACHER, body)).json()
    assert (moved["state"], moved["waitsFor"]) == ("submitted", "head_of_department")
    moved = (await desk.act("approve", Role.HEAD_OF_DEPARTMENT)).json()
    assert (moved["state"], moved["waitsFor"]) == ("submitted", "principal")
    moved = (await desk.act("approve", Role.PRINCIPAL)).json()
    assert (moved["state"], moved["waitsFor"]) == ("approved", None)
    assert await published_events(db, desk.school) == []
    moved = (await desk.act("publish", Role.PRINCIPAL)).json()
    assert (moved["state"], moved["version"]) == ("published", 6)
    (event,) = await published_events(db, desk.school)
    assert (event.subject_name, event.class_arm_name, event.term_name) == ("Mathematics", "JSS 2 Ruby", "First Term")
    assert (event.teacher_id, str(event.sheet_id)) == (desk.school.staff[Role.SUBJECT_TEACHER], desk.sheet_id)
    assert (event.student_ids, event.student_count, event.revision) == (desk.school.students[:2], 2, 1)
    steps = (await desk.sheet())["steps"]
    assert [(step["action"], step["role"]) for step in steps] == [
        ("submit", "subject_teacher"), ("approve", "head_of_department"), ("approve", "principal"),
        ("publish", "principal"),
    ]  # fmt: skip


async def test_submitting_lists_missing_marks(desk: Desk) -> None:
    """A sheet with missing marks is not handed in; forcing it needs a reason, which is kept."""
    await desk.upload(await desk.filled(ROWS[0], (7, 6, None, None)))
    refused = await desk.act("submit", Role.SUBJECT_TEACHER)
    assert refused.status_code == 409
    assert [error["pointer"] for error in refused.json()["errors"]] == [
        f"/students/{student}" for student in desk.school.students[1:]
    ]
    assert "CA, Exam" in refused.json()["errors"][0]["detail"]
    assert (await desk.act("submit", Role.SUBJECT_TEACHER, {"force": True})).status_code == 422
    forced = await desk.act("submit", Role.SUBJECT_TEACHER, {"force": True, "reason": "away at the Olympiad"})
    assert forced.status_code == 200
    assert (await desk.sheet())["steps"][0]["comment"] == "away at the Olympiad"


async def test_two_publishes_at_once_emit_one_event(desk: Desk, db: PostgresDatabase) -> None:
    """Of eight who publish at the same moment one succeeds, and guardians hear once."""
    await desk.approved()
    version = (await desk.sheet())["version"]
    one_by_one = [desk.act("publish", Role.PRINCIPAL, version=version) for _ in range(4)]
    headers, body = desk.who(Role.SCHOOL_ADMIN), {"sheetIds": [desk.sheet_id]}
    in_bulk = [desk.client.post(f"{SHEETS}/publish", headers=headers, json=body) for _ in range(4)]
    answers = await asyncio.gather(*one_by_one, *in_bulk)
    succeeded = [answer.status_code == 200 for answer in answers[:4]]
    succeeded += [answer.json()["done"] == 1 for answer in answers[4:]]
    assert sum(succeeded) == 1
    assert len(await published_events(db, desk.school)) == 1


async def test_a_published_sheet_is_locked(desk: Desk) -> None:
    """Neither uploads nor edits nor another publication change a published sheet."""
    content = await desk.filled()
    await desk.published()
    assert (await desk.upload(content)).status_code == 409
    assert (await desk.patch(0, "exam", 1)).status_code == 409
    assert (await desk.act("publish", Role.PRINCIPAL)).status_code == 409
    assert (await desk.act("return", Role.PRINCIPAL, {"comment": "no longer"})).status_code == 409


async def test_a_reopened_sheet_is_published_again_as_a_revision(desk: Desk, db: PostgresDatabase) -> None:
    """The principal reopens with a reason; the new round goes the whole way and emits again, saying so."""
    await desk.published()
    assert (await desk.act("reopen", Role.SCHOOL_ADMIN, {"reason": "wrong totals"})).status_code == 403
    assert (await desk.act("reopen", Role.PRINCIPAL, {"reason": ""})).status_code == 422
    moved = (await desk.act("reopen", Role.PRINCIPAL, {"reason": "a script was recounted"})).json()
    assert (moved["state"], moved["round"]) == ("draft", 2)
    assert (await desk.patch(0, "exam", 60)).status_code == 200
    for action, role in (
        ("submit", Role.SUBJECT_TEACHER), ("approve", Role.HEAD_OF_DEPARTMENT), ("approve", Role.PRINCIPAL),
        ("publish", Role.PRINCIPAL),
    ):  # fmt: skip
        assert (await desk.act(action, role)).status_code == 200
    assert [event.revision for event in await published_events(db, desk.school)] == [1, 2]


async def test_a_returned_sheet_goes_back_to_its_teacher(desk: Desk) -> None:
    """Whoever's turn it is may send a sheet back with a comment; approvals begin anew."""
    await desk.upload(await desk.filled())
    await desk.act("submit", Role.SUBJECT_TEACHER)
    assert (await desk.act("return", Role.HEAD_OF_DEPARTMENT, {"comment": ""})).status_code == 422
    await desk.act("approve", Role.HEAD_OF_DEPARTMENT)
    assert (await desk.act("return", Role.HEAD_OF_DEPARTMENT, {"comment": "too late"})).status_code == 403
    assert (await desk.act("return", Role.PRINCIPAL, {"comment": "check row 3"})).json()["state"] == "draft"
    assert (await desk.patch(2, "exam", 34)).status_code == 200
    await desk.act("submit", Role.SUBJECT_TEACHER)
    assert (await desk.sheet())["waitsFor"] == "head_of_department"


async def test_changes_say_which_version_they_were_made_from(desk: Desk) -> None:
    """Without If-Match a move is refused with 428, from an old version with 412, and nothing moves."""
    await desk.upload(await desk.filled())
    headers = desk.who(Role.SUBJECT_TEACHER)
    assert (await desk.client.post(f"{desk.path}/submit", headers=headers, json={})).status_code == 428
    assert (await desk.act("submit", Role.SUBJECT_TEACHER, version=1)).status_code == 412
    marks = [{"studentId": str(desk.school.students[0]), "component": "exam", "value": 3}]
    body = {"reason": "recounted", "marks": marks}
    for extra, status in (({}, 428), ({"If-Match": '"1"'}, 412)):
        answer = await desk.client.patch(f"{desk.path}/marks", headers=headers | extra, json=body)
        assert answer.status_code == status
    assert (await desk.sheet())["state"] == "draft"


async def test_several_sheets_are_published_at_once(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Each sheet that can be published is; one that can't and one that is not there say why."""
    school = await make_school(db, arms=3)
    desks = [await open_desk(client, school, arm=arm) for arm in range(3)]
    for desk in desks[:2]:
        await desk.approved()
    headers = desks[0].who(Role.PRINCIPAL) | {"Idempotency-Key": str(new_id())}
    ids = [desks[0].sheet_id, desks[2].sheet_id, str(new_id()), desks[1].sheet_id]
    answers = [await client.post(f"{SHEETS}/publish", headers=headers, json={"sheetIds": ids}) for _ in range(2)]
    body = answers[0].json()
    assert [item["problem"] for item in body["items"]] == [None, "/problems/conflict", "/problems/not-found", None]
    assert (body["done"], body["failed"]) == (2, 2)
    assert answers[1].json() == body
    assert len(await published_events(db, school)) == 2


async def test_several_sheets_are_approved_at_once(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A head approves what waits for them; what does not wait says so."""
    school = await make_school(db, arms=2)
    ready, draft = await open_desk(client, school, arm=0), await open_desk(client, school, arm=1)
    await ready.upload(await ready.filled())
    await ready.act("submit", Role.SUBJECT_TEACHER)
    body = {"sheetIds": [ready.sheet_id, draft.sheet_id]}
    answer = await client.post(f"{SHEETS}/approve", headers=ready.who(Role.HEAD_OF_DEPARTMENT), json=body)
    assert [item["ok"] for item in answer.json()["items"]] == [True, False]


@pytest.mark.parametrize(
    ("action", "body", "before", "allowed"),
    [
        ("submit", {}, (), {Role.SUBJECT_TEACHER, Role.PRINCIPAL, Role.SCHOOL_ADMIN}),
        ("approve", {}, ("submit",), {Role.HEAD_OF_DEPARTMENT}),
        ("return", {"comment": "check it"}, ("submit",), {Role.HEAD_OF_DEPARTMENT, Role.PRINCIPAL}),
        ("publish", {}, ("submit", "approve", "approve"), {Role.PRINCIPAL, Role.SCHOOL_ADMIN}),
        ("reopen", {"reason": "recount"}, ("submit", "approve", "approve", "publish"), {Role.PRINCIPAL}),
    ],
)
async def test_each_move_is_some_roles_alone(
    *,
    client: httpx.AsyncClient,
    db: PostgresDatabase,
    action: str,
    body: dict[str, Any],
    before: tuple[str, ...],
    allowed: set[Role],
) -> None:
    """Of all roles exactly those of the chain may make a move; the others get 403 and the sheet stays."""
    movers = iter((Role.SUBJECT_TEACHER, Role.HEAD_OF_DEPARTMENT, Role.PRINCIPAL, Role.PRINCIPAL))
    desk = await open_desk(client, await make_school(db))
    await desk.upload(await desk.filled())
    for step, mover in zip(before, movers, strict=False):
        await desk.act(step, mover)
    reached = await desk.sheet()
    others = set(desk.school.principals) - allowed
    assert {Role.GUARDIAN, Role.STUDENT, Role.BURSAR, Role.CLASS_TEACHER} <= others
    for role in sorted(others):
        assert (await desk.act(action, role, body)).status_code == 403, role
    assert (await desk.sheet())["version"] == reached["version"]
    assert (await desk.act(action, min(allowed), body)).status_code == 200


async def test_a_sheet_without_a_head_waits_for_the_principal(desk: Desk, db: PostgresDatabase) -> None:
    """Where the department has no head, the principal stands in for that step."""
    async with db.tenant(desk.school.id) as tx:
        await tx.execute("UPDATE departments SET head_id = NULL")
    await desk.upload(await desk.filled())
    await desk.act("submit", Role.SUBJECT_TEACHER)
    assert (await desk.act("approve", Role.HEAD_OF_DEPARTMENT)).status_code == 403
    assert (await desk.act("approve", Role.PRINCIPAL)).json()["waitsFor"] == "principal"


async def test_a_closed_term_takes_no_marks(desk: Desk, db: PostgresDatabase) -> None:
    """Nothing of a closed term changes any more."""
    content = await desk.filled()
    async with db.tenant(desk.school.id) as tx:
        await tx.execute("UPDATE terms SET closed_at = now()")
    assert (await desk.upload(content)).status_code == 409
    assert (await desk.patch(0, "exam", 1)).status_code == 409
    assert (await desk.act("submit", Role.SUBJECT_TEACHER)).status_code == 409


async def test_policies_are_fixed_when_the_sheet_is_opened(desk: Desk, db: PostgresDatabase) -> None:
    """A new assessment policy holds for sheets opened after it, not for one that is open."""
    async with db.tenant(desk.school.id) as tx:
        await tx.execute(
            "INSERT INTO policies (school_id, id, kind, stage, version, name, body)"
            " VALUES ($1, $2, 'assessment', 'JSS', 1, 'Exam only', $3)",
            desk.school.id, new_id(), {"components": [{"code": "exam", "name": "Exam", "max": 100}]},
        )  # fmt: skip
    later = await open_desk(desk.client, desk.school, subject=1)
    assert [len((await each.sheet())["components"]) for each in (desk, later)] == [4, 1]


async def test_upload_and_publication_are_traced(
    desk: Desk, db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsing, look-ups, the transaction and the emission are spans by name, one trace with the event (P4-31)."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(sampler=ALWAYS_ON)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("core.telemetry.tracer", provider.get_tracer("tests"))
    await desk.approved()
    names = [span.name for span in exporter.get_finished_spans()]
    assert [name for name in names if name in TRACED] == list(TRACED)
    exporter.clear()
    await desk.act("publish", Role.PRINCIPAL)
    (emission,) = [span for span in exporter.get_finished_spans() if span.name == "EmitScoresPublished"]
    assert emission.context is not None
    async with db.tenant(desk.school.id) as tx:
        traceparent = await tx.fetchval("SELECT traceparent FROM outbox")
    assert traceparent.split("-")[1] == format_trace_id(emission.context.trace_id)
    assert dict(emission.attributes or {}) == {"sheet_id": desk.sheet_id}
