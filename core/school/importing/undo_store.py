"""The SQL of undoing an import: what stands in the way, and taking back what it made and changed.

Keys are handed in as arrays, whose length the planner knows; of a log written a moment ago it knows nothing, and picks
nested loops that take 50 times as long.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from core.ids import ImportId
from core.ports import Transaction
from core.school.importing.store import matches
from core.school.importing.tables import CONSENTS, GUARDIANS, TABLES, Key, Record, Table

_MOST = 100
"""Obstacles that are listed."""
_TABLES: Mapping[str, Table] = {table.name: table for table in TABLES}


class Logged(NamedTuple):
    """One record as an import left it, and as it was: None where the import made it."""

    before: Record | None
    after: Record


Log = Mapping[str, Sequence[Logged]]
"""What an import did, by table."""


class Obstacle(NamedTuple):
    """Something that keeps an import from being undone."""

    table: str
    label: str
    what: str


async def read_log(tx: Transaction, import_id: ImportId) -> Log:
    """Return what an import did, in its order."""
    rows = await tx.fetch(
        "SELECT table_name, before, after FROM import_changes WHERE import_id = $1 ORDER BY position", import_id
    )
    log: dict[str, list[Logged]] = defaultdict(list)
    for row in rows:
        log[row["table_name"]].append(Logged(row["before"], row["after"]))
    return log


async def obstacles(tx: Transaction, log: Log) -> list[Obstacle]:
    """Return what has changed since the import, and what refers to the records it made."""
    found: list[Obstacle] = []
    for name, logged in log.items():
        since = _newer_consents if name == CONSENTS.name else _changed_since
        found.extend(await since(tx, _TABLES[name], logged))
    for reference in await _references(tx):
        found.extend(await _referring(tx, reference, log))
    return found[:_MOST]


async def _changed_since(tx: Transaction, table: Table, logged: Sequence[Logged]) -> list[Obstacle]:
    rows = await tx.fetch(
        f"SELECT {table.captured} AS record FROM {table.name} t JOIN {_keys(table)} ON {matches(table, 't', 'k')}",
        *_key_columns(table, logged),
    )
    now = {table.key_of(row["record"]): row["record"] for row in rows}
    return [
        Obstacle(
            table.name, _label(entry.after), "was changed since" if table.key_of(entry.after) in now else "is gone"
        )
        for entry in logged
        if now.get(table.key_of(entry.after)) != entry.after
    ]


async def _newer_consents(tx: Transaction, table: Table, logged: Sequence[Logged]) -> list[Obstacle]:
    rows = await tx.fetch(
        f"""
        SELECT mine.channel FROM {_keys(table)} JOIN consents mine USING (id)
        WHERE EXISTS (SELECT FROM consents newer
                      WHERE newer.guardian_id = mine.guardian_id AND newer.channel = mine.channel
                        AND (newer.recorded_at, newer.id) > (mine.recorded_at, mine.id))
        """,
        *_key_columns(table, logged),
    )
    return [Obstacle(table.name, row["channel"], "was given or withdrawn since") for row in rows]


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
        WHERE contype = 'f' AND conparentid = 0 AND parent.relname = ANY($1)
          AND child.relnamespace = 'public'::regnamespace AND has_table_privilege(conrelid, 'SELECT')
        ORDER BY conname
        """,
        [table.name for table in TABLES],
    )
    return [_Reference(*(row[name] for name in _Reference._fields)) for row in rows]


async def _referring(tx: Transaction, reference: _Reference, log: Log) -> list[Obstacle]:
    """Return what refers to records the import made, and is none of the import's own."""
    parent, child = _TABLES[reference.parent], _TABLES.get(reference.child)
    made = _made(log, parent)
    if not made:
        return []
    own = log.get(reference.child, ())
    arrays: list[object] = _key_columns(parent, made)
    not_own = ""
    if child is not None and own:
        unnested = _keys(child, name="own", first=len(arrays) + 1)
        not_own = f"WHERE NOT EXISTS (SELECT FROM {unnested} WHERE {matches(child, 't', 'own')})"
        arrays += _key_columns(child, own)
    keys = ", ".join(f"k.{column}" for column in parent.key)
    rows = await tx.fetch(
        f"SELECT {keys}, count(*) AS count FROM {_keys(parent)} JOIN {reference.child} t ON {_joined(reference)}"
        f" {not_own} GROUP BY {keys} LIMIT {_MOST}",
        *arrays,
    )
    labels = {parent.key_of(entry.after): _label(entry.after) for entry in made}
    return [
        Obstacle(parent.name, labels[_key_of_row(parent, row)], f"{row['count']} of {reference.child} refer to it")
        for row in rows
    ]


def _joined(reference: _Reference) -> str:
    pairs = zip(reference.child_columns, reference.parent_columns, strict=True)
    return " AND ".join(
        f"t.{child} = app_school()" if parent == "school_id" else f"t.{child} = k.{parent}" for child, parent in pairs
    )


def _key_of_row(table: Table, row: Mapping[str, Any]) -> Key:
    return tuple(str(row[column]) for column in table.key)


def _made(log: Log, table: Table) -> list[Logged]:
    return [entry for entry in log.get(table.name, ()) if entry.before is None]


def _keys(table: Table, *, name: str = "k", first: int = 1) -> str:
    """Return the SQL of rows of primary keys, an array for each column."""
    arrays = ", ".join(f"${number}::uuid[]" for number in range(first, first + len(table.key)))
    return f"unnest({arrays}) {name} ({', '.join(table.key)})"


def _key_columns(table: Table, logged: Sequence[Logged]) -> list[object]:
    return [[UUID(entry.after[column]) for entry in logged] for column in table.key]


def _label(record: Record) -> str:
    for column in ("student_no", "staff_no", "code", "username"):
        if record.get(column):
            return str(record[column])
    names = " ".join(record[column] for column in ("family_name", "given_names") if record.get(column))
    return names or str(record.get("name") or "")


async def take_back(tx: Transaction, log: Log, actor: UUID) -> None:
    """Restore what the import changed and remove what it made: first what refers, then what is referred to."""
    for table in reversed(TABLES):
        if table is CONSENTS:
            await _restore_consents(tx, log, actor)
            continue
        changed = [entry.before for entry in log.get(table.name, ()) if entry.before is not None]
        if changed:
            await tx.execute(_restore(table), changed)
        made = _made(log, table)
        if made:
            delete = f"DELETE FROM {table.name} t USING {_keys(table)} WHERE {matches(table, 't', 'k')}"
            await tx.execute(delete, *_key_columns(table, made))


def _restore(table: Table) -> str:
    sets = [f"{column} = was.{column}" for column in table.columns if column not in table.key]
    sets += ["version = t.version + 1"] if table.versioned else []
    sets += [table.touch] if table.touch else []
    return f"""
        UPDATE {table.name} t SET {", ".join(sets)} FROM jsonb_populate_recordset(NULL::{table.name}, $1) was
        WHERE {matches(table, "t", "was")}
    """


async def _restore_consents(tx: Transaction, log: Log, actor: UUID) -> None:
    """Give the consents again that were before. None is taken out of the record, unless its guardian goes."""
    gone = {entry.after["id"] for entry in _made(log, GUARDIANS)}
    staying = [entry for entry in log.get(CONSENTS.name, ()) if entry.after["guardian_id"] not in gone]
    if staying:
        await tx.execute(
            f"""
            INSERT INTO consents (school_id, id, guardian_id, channel, granted, source, recorded_by)
            SELECT app_school(), gen_random_uuid(), mine.guardian_id, mine.channel,
                   coalesce(earlier.granted, false), 'undo', $2
            FROM {_keys(CONSENTS)} JOIN consents mine USING (id)
            LEFT JOIN LATERAL (
                SELECT granted FROM consents e
                WHERE e.guardian_id = mine.guardian_id AND e.channel = mine.channel
                  AND (e.recorded_at, e.id) < (mine.recorded_at, mine.id)
                ORDER BY e.recorded_at DESC, e.id DESC LIMIT 1) earlier ON true
            """,
            *_key_columns(CONSENTS, staying),
            actor,
        )


async def mark_undone(tx: Transaction, import_id: ImportId, *, actor: UUID, at: Any) -> None:
    """Record that an import was undone."""
    await tx.execute(
        "UPDATE imports SET state = 'undone', undone_by = $2, undone_at = $3 WHERE id = $1", import_id, actor, at
    )
