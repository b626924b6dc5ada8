"""The SQL of how a school's cards look, and of which pictures its records name."""

from dataclasses import dataclass

from core.ids import SchoolId, StudentId
from core.ports import Transaction
from core.reports.card import CardStyle


@dataclass(frozen=True, slots=True)
class KeptStyle:
    """A school's style and its version; 0 where it goes by the built-in one."""

    style: CardStyle
    version: int


async def style_of(tx: Transaction, *, lock: bool = False) -> KeptStyle:
    """Return the school's style, or the built-in one."""
    row = await tx.fetchrow(f"SELECT body, version FROM report_styles {'FOR UPDATE' if lock else ''}")
    return KeptStyle(CardStyle.model_validate(row["body"]), row["version"]) if row else KeptStyle(CardStyle(), 0)


async def save(tx: Transaction, school_id: SchoolId, style: CardStyle, seen: int) -> int | None:
    """Write the style over the version that was seen, and return the new one; None where that is not there any more."""
    version: int | None = await tx.fetchval(
        """
        INSERT INTO report_styles AS kept (school_id, body, updated_by)
        SELECT $1, $2, app_actor() WHERE $3 = 0 OR EXISTS (SELECT FROM report_styles)
        ON CONFLICT (school_id) DO UPDATE
        SET body = excluded.body, version = kept.version + 1, updated_by = excluded.updated_by, updated_at = now()
        WHERE kept.version = $3
        RETURNING version
        """,
        school_id,
        style.model_dump(mode="json", by_alias=True),
        seen,
    )
    return version


async def set_photo(tx: Transaction, student_id: StudentId, key: str | None) -> bool:
    """Name a student's photo, and tell whether there is such a student."""
    touched = await tx.execute(
        "UPDATE students SET photo_key = $2, version = version + 1 WHERE id = $1", student_id, key
    )
    return touched > 0


async def has_student(tx: Transaction, student_id: StudentId) -> bool:
    """Tell whether there is such a student."""
    return bool(await tx.fetchval("SELECT EXISTS (SELECT FROM students WHERE id = $1)", student_id))
