"""The SQL of undoing an import: what stands in the way, and taking back what it made and changed."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from core.ids import ImportId
from core.ports import Row, Transaction
from core.school.importing.store import key_json, matches
from core.school.importing.tables import CONSENTS, GUARDIANS, TABLES, Table

_LABEL = (
    "coalesce(c.after ->> 'student_no', c.after ->> 'staff_no', c.after ->> 'code', c.after ->> 'username',"
    " nullif(concat_ws(' ', c.after ->> 'family_name', c.after ->> 'given_names'), ''), c.after ->> 'name',"
    " c.after ->> 'channel', 'one')"
)
_MOST = 100
"""Obstacles that are listed."""


class Obstacle(NamedTuple):
    """Something that keeps an import from being undone."""

    table: str
    label: str
    what: str


async def obstacles(tx: Transaction, import_id: ImportId) -> list[Obstacle]:
    """Return what has changed since the import, and what refers to the records it made."""
    rows: list[Row] = []
    for table in TABLES:
        sql = _NEWER_CONSENTS if table is CONSENTS else _changed_since(table)
        rows.extend(await tx.fetch(f"{sql} LIMIT {_MOST}", import_id))
    references = await _references(tx)
    if references:
        rows.extend(await tx.fetch(" UNION ALL ".join(map(_referring, references)) + f" LIMIT {_MOST}", import_id))
    return [Obstacle(row["table_name"], row["label"], row["what"]) for row in rows[:_MOST]]


def _changed_since(table: Table) -> str:
    return f"""
        SELECT c.table_name, {_LABEL} AS label,
               CASE WHEN t.school_id IS NULL THEN 'was removed since' ELSE 'was changed since' END AS what
        FROM import_changes c LEFT JOIN {table.name} t ON {_is_logged(table)}
        WHERE c.import_id = $1 AND c.table_name = '{table.name}'
          AND (t.school_id IS NULL OR {table.captured} IS DISTINCT FROM c.after)
        ORDER BY c.position
    """


def _is_logged(table: Table) -> str:
    return " AND ".join(f"t.{column} = (c.key ->> '{column}')::uuid" for column in table.key)


_NEWER_CONSENTS = f"""
    SELECT c.table_name, {_LABEL} AS label, 'was given or withdrawn since' AS what
    FROM import_changes c JOIN consents mine ON mine.id = (c.key ->> 'id')::uuid
    WHERE c.import_id = $1 AND c.table_name = 'consents' AND EXISTS (
        SELECT FROM consents newer
        WHERE newer.guardian_id = mine.guardian_id AND newer.channel = mine.channel
          AND (newer.recorded_at, newer.id) > (mine.recorded_at, mine.id))
    ORDER BY c.position
"""


class _Reference(NamedTuple):
    child: str
    parent: str
    child_columns: Sequence[str]
    parent_columns: Sequence[str]


async def _references(tx: Transaction) -> list[_Reference]:
    """Return the foreign keys into the tables of an import, as the catalogue has them: new tables are seen too."""
    rows = await tx.fetch(
        """
        SELECT child.relname AS child, parent.relname AS parent,
               ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY k (n, i) JOIN pg_attribute
                     ON attrelid = conrelid AND attnum = n ORDER BY i) AS child_columns,
               ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY k (n, i) JOIN pg_attribute
                     ON attrelid = confrelid AND attnum = n ORDER BY i) AS parent_columns
        FROM pg_constraint JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid
        WHERE contype = 'f' AND parent.relname = ANY($1) AND child.relnamespace = 'public'::regnamespace
          AND has_table_privilege(conrelid, 'SELECT') AND (conparentid = 0)
        ORDER BY conname
        """,
        [table.name for table in TABLES],
    )
    return [_Reference(*(row[name] for name in _Reference._fields)) for row in rows]


def _referring(reference: _Reference) -> str:
    """Return the SQL of rows that refer to a record the import made, but are none of the import's own."""
    pairs = zip(reference.child_columns, reference.parent_columns, strict=True)
    joined = " AND ".join(
        f"t.{child} = app_school()" if parent == "school_id" else f"t.{child} = (c.key ->> '{parent}')::uuid"
        for child, parent in pairs
    )
    own = next((table for table in TABLES if table.name == reference.child), None)
    not_own = f"""
        AND NOT EXISTS (SELECT FROM import_changes m
                        WHERE m.import_id = $1 AND m.table_name = '{reference.child}' AND m.key = {key_json(own)})
    """ if own else ""  # fmt: skip
    return f"""
        (SELECT c.table_name, {_LABEL} AS label, count(*) || ' of {reference.child} refer to it' AS what
         FROM import_changes c JOIN {reference.child} t ON {joined}
         WHERE c.import_id = $1 AND c.table_name = '{reference.parent}' AND c.before IS NULL {not_own}
         GROUP BY c.table_name, c.position, c.after ORDER BY c.position LIMIT {_MOST})
    """


async def take_back(tx: Transaction, import_id: ImportId, actor: UUID) -> None:
    """Restore what the import changed and remove what it made, from the tables that refer to the ones referred to."""
    for table in reversed(TABLES):
        if table is CONSENTS:
            await tx.execute(_RESTORE_CONSENTS, import_id, actor)
            continue
        if table.columns:
            await tx.execute(_restore(table), import_id)
        await tx.execute(
            f"DELETE FROM {table.name} t USING import_changes c"
            f" WHERE c.import_id = $1 AND c.table_name = '{table.name}' AND c.before IS NULL AND {_is_logged(table)}",
            import_id,
        )


def _restore(table: Table) -> str:
    columns = [column for column in table.columns if column not in table.key]
    sets = [f"{column} = was.{column}" for column in columns]
    sets += ["version = t.version + 1"] if table.versioned else []
    sets += [table.touch] if table.touch else []
    return f"""
        UPDATE {table.name} t SET {", ".join(sets)}
        FROM (SELECT r.* FROM import_changes c CROSS JOIN jsonb_populate_record(NULL::{table.name}, c.before) r
              WHERE c.import_id = $1 AND c.table_name = '{table.name}' AND c.before IS NOT NULL) was
        WHERE {matches(table, "t", "was")}
    """


_RESTORE_CONSENTS = f"""
    INSERT INTO consents (school_id, id, guardian_id, channel, granted, source, recorded_by)
    SELECT app_school(), gen_random_uuid(), mine.guardian_id, mine.channel, coalesce(earlier.granted, false), 'undo', $2
    FROM import_changes c JOIN consents mine ON mine.id = (c.key ->> 'id')::uuid
    LEFT JOIN LATERAL (
        SELECT granted FROM consents e
        WHERE e.guardian_id = mine.guardian_id AND e.channel = mine.channel
          AND (e.recorded_at, e.id) < (mine.recorded_at, mine.id)
        ORDER BY e.recorded_at DESC, e.id DESC LIMIT 1) earlier ON true
    WHERE c.import_id = $1 AND c.table_name = 'consents' AND NOT EXISTS (
        SELECT FROM import_changes made
        WHERE made.import_id = $1 AND made.table_name = '{GUARDIANS.name}' AND made.before IS NULL
          AND made.key = jsonb_build_object('id', mine.guardian_id))
"""
"""A consent is never taken out of the record: where its guardian stays, the one before is given again."""


async def mark_undone(tx: Transaction, import_id: ImportId, *, actor: UUID, at: Any) -> None:
    """Record that an import was undone."""
    await tx.execute(
        "UPDATE imports SET state = 'undone', undone_by = $2, undone_at = $3 WHERE id = $1", import_id, actor, at
    )
