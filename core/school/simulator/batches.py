"""Rows on their way to a table, a column at a time, and the ids they are known by."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table, without the school's id, which every row has."""

    table: str
    columns: dict[str, list[object]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))


def batch(table: str, names: str, rows: Iterable[Sequence[object]]) -> Batch:
    """Return rows as a batch; ``names`` are the columns, separated by spaces."""
    turned = [list(column) for column in zip(*rows, strict=True)]
    columns = names.split()
    return Batch(table, dict(zip(columns, turned or [[] for _ in columns], strict=True)))


class Kind(IntEnum):
    """What an id is of; it stands in the id."""

    SCHOOL = 1
    SESSION = 2
    TERM = 3
    LEVEL = 4
    STAFF = 5
    DEPARTMENT = 6
    SUBJECT = 7
    ARM = 8
    STUDENT = 9
    LOAD = 10
    GUARDIAN = 11
    CONSENT = 12
    POLICY = 13
    SHEET = 14
    STEP = 15
    REGISTER = 16
    FEE = 17
    PAYMENT = 18
    STAFF_USER = 19
    GUARDIAN_USER = 20
    STUDENT_USER = 21
    BANKED_COMMENT = 22


class Ids:
    """Ids that follow from a recipe: UUIDs of version 8 (RFC 9562), in order within a kind."""

    def __init__(self, *recipe: object) -> None:
        seed = int.from_bytes(hashlib.sha256("|".join(map(str, recipe)).encode()).digest()[:10])
        self._base = (seed >> 32) << 80 | 8 << 76 | 2 << 62 | (seed & 0x3FFF_FFFF) << 32

    def of(self, kind: Kind, number: int = 0) -> UUID:
        """Return the id of the n-th thing of a kind."""
        return UUID(int=self._base | kind << 64 | number)

    def row(self, kind: Kind, count: int) -> list[UUID]:
        """Return the ids of the first things of a kind."""
        return [self.of(kind, number) for number in range(count)]
