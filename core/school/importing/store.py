"""The SQL of imports: the records as they are, the changes made, the imports themselves."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from core.ids import ImportId, SchoolId
from core.ports import Row, Transaction
from core.school.importing.drafting import Change
from core.school.importing.tables import TABLES, Record, Table

_ROOM = 1_000_000
"""Positions that each table has in an import's log."""


async def lock_imports(tx: Transaction, school_id: SchoolId) -> None:
    """Wait until no other import of the school is under way; let go when the transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('import ' || $1, 0))", str(school_id))


async def time_zone(tx: Transaction) -> str:
    """Return the school's time zone."""
    return str(await tx.fetchval("SELECT time_zone FROM schools WHERE id = app_school()") or "Africa/Lagos")


async def snapshot(tx: Transaction) -> dict[str, list[Record]]:
    """Return the school's records, one statement a table."""
    return {table.name: await _records(tx, table) for table in TABLES}


async def _records(tx: Transaction, table: Table) -> list[Record]:
    rows = await tx.fetch(f"SELECT {table.captured} AS record FROM {table.present or table.name} t")
    return [row["record"] for row in rows]


async def apply_changes(tx: Transaction, import_id: ImportId, changes: Mapping[str, Sequence[Change]]) -> None:
    """Make and change records and log each with what it was: at most two statements a table."""
    for number, table in enumerate(TABLES):
        made = [change.after for change in changes[table.name] if change.before is None]
        changed = [change.after for change in changes[table.name] if change.before is not None]
        if made:
            await tx.execute(_insert(table), made, import_id, number * _ROOM)
        if changed:
            await tx.execute(_update(table), changed, import_id, number * _ROOM + len(made))


def _insert(table: Table) -> str:
    columns = ", ".join(dict.fromkeys((*table.key, *table.columns)))
    return f"""
        WITH t AS (
            INSERT INTO {table.name} (school_id, {columns})
            SELECT app_school(), {columns} FROM jsonb_populate_recordset(NULL::{table.name}, $1)
            RETURNING *)
        INSERT INTO import_changes (school_id, import_id, position, table_name, key, before, after)
        SELECT app_school(), $2, $3 + row_number() OVER (), '{table.name}', {key_json(table)}, NULL, {table.captured}
        FROM t
    """


def _update(table: Table) -> str:
    keys = ", ".join(table.key)
    sets = [f"{column} = wanted.{column}" for column in table.columns if column not in table.key]
    sets += ["version = t.version + 1"] if table.versioned else []
    sets += [table.touch] if table.touch else []
    return f"""
        WITH wanted AS (SELECT * FROM jsonb_populate_recordset(NULL::{table.name}, $1)),
             old AS (SELECT {keys}, {table.captured} AS before FROM {table.name} t JOIN wanted w USING ({keys})),
             changed AS (UPDATE {table.name} t SET {", ".join(sets)} FROM wanted
                         WHERE {matches(table, "t", "wanted")} RETURNING t.*)
        INSERT INTO import_changes (school_id, import_id, position, table_name, key, before, after)
        SELECT app_school(), $2, $3 + row_number() OVER (), '{table.name}', {key_json(table)}, old.before,
               {table.captured}
        FROM changed t JOIN old ON {matches(table, "t", "old")}
    """


def key_json(table: Table) -> str:
    """Return the SQL of a record's primary key as JSON, of the row ``t``."""
    return "jsonb_build_object(" + ", ".join(f"'{column}', t.{column}" for column in table.key) + ")"


def matches(table: Table, one: str, other: str) -> str:
    """Return the SQL by which two rows have the same primary key."""
    return " AND ".join(f"{one}.{column} = {other}.{column}" for column in table.key)


class NewImport(NamedTuple):
    """An import to be recorded."""

    id: ImportId
    state: str
    file_name: str
    file_key: str
    file_sha256: bytes
    counts: list[dict[str, Any]]
    report: dict[str, Any]
    actor: UUID
    at: Any


async def insert_import(tx: Transaction, new: NewImport) -> None:
    """Record an import."""
    await tx.execute(
        """
        INSERT INTO imports (school_id, id, state, file_name, file_key, file_sha256, counts, report, imported_by,
                             imported_at)
        VALUES (app_school(), $1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *new,
    )


async def read_import(tx: Transaction, import_id: ImportId) -> Row | None:
    """Return one import."""
    return await tx.fetchrow("SELECT * FROM imports WHERE id = $1", import_id)


async def list_imports(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[Row]:
    """Return imports, newest first, without their reports."""
    return await tx.fetch(
        """
        SELECT id, state, file_name, file_key, counts, imported_by, imported_at, undone_by, undone_at FROM imports
        WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2
        """,
        after,
        limit,
    )


async def find_schools(tx: Transaction, code: str | None) -> Sequence[tuple[SchoolId, str]]:
    """Return up to two schools of a code, or of any; for a command, which has no token that names one."""
    rows = await tx.fetch(
        "SELECT id, code FROM schools WHERE $1::text IS NULL OR code = $1 ORDER BY code LIMIT 2", code
    )
    return [(SchoolId(row["id"]), row["code"]) for row in rows]


async def look_at_records(tx: Transaction) -> None:
    """Let the planner see what the tables hold now, so that the next event does not wait for autovacuum to."""
    await tx.fetchval("SELECT look_at_records()")
