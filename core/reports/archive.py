"""The archive of a batch: every printed card, and a list of what became of each student's."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import Clock
from core.errors import NotFound
from core.ids import JobId, SchoolId
from core.ports import KEPT_FOR, Database, ObjectStore
from core.reports import archive_store as store
from core.reports.archive_store import BatchHead, PackedItem
from core.reports.naming import archive_key, file_names
from core.reports.zipping import zipped
from core.telemetry import get_logger, span

log = get_logger("reports")

Beat = Callable[[], Awaitable[bool]]
"""Tells that the work goes on; False where it is another's now."""

_AT_ONCE = 16
"""Files read at a time: a bucket answers each in some 30 ms, and together they take 2 MB."""
_GONE = "the printed file is not there any more; print this card again"
_CHANGED = "the printed file is not what was printed; print this card again"


class Archivist:
    """Packs the cards of a batch whose printing is over."""

    def __init__(self, db: Database, objects: ObjectStore, clock: Clock) -> None:
        self._db = db
        self._objects = objects
        self._clock = clock

    async def pack(self, school: SchoolId, job: JobId, *, beat: Beat) -> None:
        """Write a batch's archive and note where it is; nothing where no card was printed.

        A card whose file is lost or damaged is left out and counts as failed. Packing again writes the same archive in
        the same place. Raises ``Unavailable`` where the store is away: nothing is written then.
        """
        async with self._db.tenant(school, read_only=True) as tx:
            head, items = await store.head_of(tx, job), await store.items_of(tx, job)
        if head is None:
            raise NotFound("there is no such batch")
        if not any(item.is_done for item in items):
            return
        now = self._clock.now()
        packing = _Packing(self._objects, head, items, beat, now)
        key = archive_key(school, job)
        with span("pack-archive", job_id=str(job), cards=len(items)):
            try:
                size = await self._objects.put_stream(key, packing.pieces(job), "application/zip")
            except _Overtaken:
                log.warning("archive_given_up", job_id=str(job))
                return
        async with self._db.tenant(school) as tx:
            for reason, lost in packing.lost.items():
                await store.lose(tx, job, [item.student_id for item in lost], reason, now)
            sha256, until = packing.digest.hexdigest(), now + KEPT_FOR
            await store.keep(tx, job, key=key, size_bytes=size, sha256=sha256, at=now, expires_at=until)
        log.info("archive_packed", job_id=str(job), cards=packing.packed, size_bytes=size)


class _Overtaken(Exception):
    """Another packs this batch now."""


class _Packing:
    """One archive on its way into the store."""

    def __init__(
        self, objects: ObjectStore, head: BatchHead, items: Sequence[PackedItem], beat: Beat, at: datetime
    ) -> None:
        self._objects = objects
        self._head = head
        self._items = items
        self._beat = beat
        self._at = at
        self._names = file_names(items, head.naming)
        self.lost: dict[str, list[PackedItem]] = {}
        """Printed cards whose file can't be used, by the reason."""
        self.packed = 0
        self.digest = hashlib.sha256()

    async def pieces(self, job: JobId) -> AsyncIterator[bytes]:
        """Yield the archive."""
        local = self._at.astimezone(ZoneInfo(self._head.time_zone))
        async for piece in zipped(self._files(job), local):
            self.digest.update(piece)
            yield piece

    async def _files(self, job: JobId) -> AsyncIterator[tuple[str, bytes]]:
        done = [item for item in self._items if item.is_done]
        for at in range(0, len(done), _AT_ONCE):
            if not await self._beat():
                raise _Overtaken
            some = done[at : at + _AT_ONCE]
            for item, content in zip(some, await self._read(some), strict=True):
                if content is not None:
                    self.packed += 1
                    yield self._names[item.student_id], content
        yield "manifest.json", self._manifest(job)

    async def _read(self, some: Sequence[PackedItem]) -> list[bytes | None]:
        found = await asyncio.gather(*(self._content(item) for item in some), return_exceptions=True)
        contents: list[bytes | None] = []
        for each in found:
            if isinstance(each, BaseException):
                raise each
            contents.append(each)
        return contents

    async def _content(self, item: PackedItem) -> bytes | None:
        try:
            content = await self._objects.get(item.object_key or "")
        except NotFound:
            self.lost.setdefault(_GONE, []).append(item)
            return None
        if hashlib.sha256(content).hexdigest() != item.sha256:
            self.lost.setdefault(_CHANGED, []).append(item)
            return None
        return content

    def _manifest(self, job: JobId) -> bytes:
        lost = {item.student_id: reason for reason, items in self.lost.items() for item in items}
        items = [
            replace(item, state="failed", reason=lost[item.student_id]) if item.student_id in lost else item
            for item in self._items
        ]
        head = self._head
        listing = {
            "school": head.school_name,
            "session": head.session_name,
            "term": head.term_name,
            "jobId": str(job),
            "packedAt": self._at.isoformat(),
            "cards": [_listed(item, self._names[item.student_id]) for item in items],
        }
        return json.dumps(listing, ensure_ascii=False, indent=1).encode()


def _listed(item: PackedItem, name: str) -> dict[str, Any]:
    whose = {
        "studentId": str(item.student_id),
        "studentNo": item.student_no,
        "name": f"{item.family_name} {item.given_names}",
        "class": item.class_name,
        "state": item.state,
    }
    if not item.is_done:
        return {**whose, "reason": item.reason}
    return {
        **whose,
        "file": name,
        "serial": item.serial,
        "pages": item.pages,
        "bytes": item.bytes,
        "sha256": item.sha256,
    }
