"""The SQL of uploads: which workbook changed which marks, so that it can be undone."""

from collections.abc import Sequence
from datetime import datetime

from core.ids import MarkSheetId, MarkUploadId, StudentId
from core.ports import Transaction
from core.school.marks.model import Change, Mark, MarkStatus, SheetHead, Upload

_COLUMNS = "id, sheet_id, file_key, changed, uploaded_by, uploaded_at, undone_at"

_CHANGES = """
SELECT mine.student_id, mine.component, mine.old_status, mine.old_value, mine.new_status, mine.new_value,
       EXISTS (SELECT FROM mark_audit later
               WHERE later.sheet_id = mine.sheet_id AND later.student_id = mine.student_id
                 AND later.component = mine.component AND later.id > mine.id) AS changed_later
FROM mark_audit mine WHERE mine.upload_id = $1 ORDER BY mine.id
"""


async def add_upload(
    tx: Transaction,
    head: SheetHead,
    upload_id: MarkUploadId,
    *,
    file_key: str,
    file_sha256: bytes,
    changed: int,
    at: datetime,
) -> None:
    """Write down that a workbook was taken over."""
    await tx.execute(
        """
        INSERT INTO mark_uploads (school_id, id, sheet_id, file_key, file_sha256, changed, uploaded_by, uploaded_at)
        VALUES ($1, $2, $3, $4, $5, $6, app_actor(), $7)
        """,
        head.school_id,
        upload_id,
        head.id,
        file_key,
        file_sha256,
        changed,
        at,
    )


async def upload_of(tx: Transaction, upload_id: MarkUploadId) -> Upload | None:
    """Return an upload."""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM mark_uploads WHERE id = $1", upload_id)
    return Upload(**row) if row else None


async def uploads_of(tx: Transaction, sheet_id: MarkSheetId) -> Sequence[Upload]:
    """Return a sheet's uploads, newest first, at most the last hundred."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM mark_uploads WHERE sheet_id = $1 ORDER BY uploaded_at DESC, id DESC LIMIT 100",
        sheet_id,
    )
    return [Upload(**row) for row in rows]


async def changes_of(tx: Transaction, upload_id: MarkUploadId) -> tuple[list[Change], list[Change]]:
    """Return what an upload changed, and which of it was changed again later."""
    every: list[Change] = []
    later: list[Change] = []
    for row in await tx.fetch(_CHANGES, upload_id):
        old = Mark(MarkStatus(row["old_status"]), row["old_value"]) if row["old_status"] else None
        new = Mark(MarkStatus(row["new_status"]), row["new_value"]) if row["new_status"] else None
        change = Change(StudentId(row["student_id"]), row["component"], old, new)
        every.append(change)
        if row["changed_later"]:
            later.append(change)
    return every, later


async def mark_undone(tx: Transaction, upload_id: MarkUploadId, at: datetime) -> None:
    """Write down that an upload was undone."""
    await tx.execute("UPDATE mark_uploads SET undone_by = app_actor(), undone_at = $2 WHERE id = $1", upload_id, at)


def file_key(sheet: SheetHead, upload_id: MarkUploadId, name: str) -> str:
    """Return where a file of an upload is kept."""
    return f"{sheet.school_id}/marks/{sheet.id}/{upload_id}/{name}"
