"""The SQL that all records share: insert, read, change by version, remove, and pages by key.

Names of tables and columns come from constants of the stores beside this module, values are always parameters.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from core.errors import Fault, InvalidInput
from core.ids import SchoolId
from core.ports import Row, Transaction

Record = TypeVar("Record")
Keys = tuple[Any, ...]
Values = Mapping[str, Any]


class SortKey(NamedTuple):
    """One column of an order: how SQL says it, where the record has it, and its type in a cursor."""

    sql: str
    field: str
    kind: type


@dataclass(frozen=True, slots=True)
class Where:
    """A condition; each ``{}`` stands for one of the values."""

    sql: str
    values: tuple[object, ...]


def where(sql: str, *values: object) -> Where:
    """Return a condition."""
    return Where(sql, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Generic[Record]):
    """A table, how a record is read from it, and in which order it is listed."""

    name: str
    noun: str
    """What people call one of it: 'class arm'."""
    select: str
    """``SELECT ... FROM <table> r ...`` without conditions."""
    order: tuple[SortKey, ...]
    build: Callable[[Row], Record]
    newest_first: bool = False

    def key(self, record: Record) -> Keys:
        """Return the keys of a record that a cursor holds."""
        return tuple(getattr(record, key.field) for key in self.order)


async def insert(tx: Transaction, table: str, school_id: SchoolId, values: Values) -> None:
    """Insert one row."""
    columns = ["school_id", *values]
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    await tx.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",
        school_id,
        *values.values(),
    )


async def change(tx: Transaction, table: str, record_id: UUID, version: int, changes: Values) -> bool:
    """Change a row that is still at this version and raise its version; tell whether it was."""
    settings = "".join(f"{column} = ${number}, " for number, column in enumerate(changes, start=3))
    touched = await tx.execute(
        f"UPDATE {table} SET {settings}version = version + 1 WHERE id = $1 AND version = $2",
        record_id,
        version,
        *changes.values(),
    )
    return touched == 1


async def delete(tx: Transaction, table: str, record_id: UUID) -> bool:
    """Remove a row and tell whether it was there; ``Conflict`` where something refers to it."""
    return await tx.execute(f"DELETE FROM {table} WHERE id = $1", record_id) == 1


async def get(tx: Transaction, table: Table[Record], *conditions: Where) -> Record | None:
    """Return the first record that meets the conditions."""
    text, values = _conditions(conditions)
    row = await tx.fetchrow(f"{table.select}{text} LIMIT 1", *values)
    return table.build(row) if row else None


async def page(
    tx: Transaction, table: Table[Record], conditions: Collection[Where], *, after: Keys | None, limit: int
) -> Sequence[Record]:
    """Return up to ``limit + 1`` records after the keys, in the table's order; one too many says there are more."""
    direction, beyond = ("DESC", "<") if table.newest_first else ("ASC", ">")
    columns = [key.sql for key in table.order]
    conditions = list(conditions)
    if after is not None:
        _check_cursor(table.order, after)
        places = ", ".join("{}" for _ in columns)
        conditions.append(Where(f"({', '.join(columns)}) {beyond} ({places})", after))
    text, values = _conditions(conditions)
    order = ", ".join(f"{column} {direction}" for column in columns)
    rows = await tx.fetch(f"{table.select}{text} ORDER BY {order} LIMIT {limit + 1:d}", *values)
    return [table.build(row) for row in rows]


async def missing_references(tx: Transaction, references: Mapping[str, tuple[str, UUID]]) -> list[str]:
    """Return which fields name a row that is not there; ``references`` is field -> (table, id)."""
    if not references:
        return []
    fields = list(references)
    checks = ", ".join(
        f"EXISTS (SELECT FROM {table} WHERE id = ${number})"
        for number, (table, _) in enumerate(references.values(), start=1)
    )
    found = await tx.fetchval(f"SELECT ARRAY[{checks}]", *(wanted for _, wanted in references.values()))
    return [field for field, there in zip(fields, found, strict=True) if not there]


def _conditions(conditions: Collection[Where]) -> tuple[str, list[object]]:
    values: list[object] = []
    texts: list[str] = []
    for condition in conditions:
        places = [f"${number}" for number in range(len(values) + 1, len(values) + len(condition.values) + 1)]
        texts.append(condition.sql.format(*places))
        values += condition.values
    return (" WHERE " + " AND ".join(texts) if texts else ""), values


def _check_cursor(order: Sequence[SortKey], after: Keys) -> None:
    if [type(key) for key in after] != [key.kind for key in order]:
        fault = Fault("/query/cursor", "use the nextCursor of the page before, unchanged")
        raise InvalidInput("the cursor belongs to another list", [fault])
