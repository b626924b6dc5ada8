"""The use cases that all plain records share: list, read, add, change, remove."""

# ruff: noqa: ARG002 - what a hook is given is there for its overrides

from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic
from uuid import UUID

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import NotFound, Stale
from core.ids import new_id
from core.ports import Database, Transaction
from core.school.records import table as sql
from core.school.records.table import Keys, Record, Table, Values, Where, where
from core.school.records.values import cleaned


class Family(Generic[Record]):
    """Records of one kind. Subclasses name the table and add the rules of their kind."""

    table: Table[Record]
    readers: ClassVar[tuple[Scope, ...]] = (Scope.RECORDS_READ,)
    """Scopes of which one is needed to read."""
    references: ClassVar[Mapping[str, str]] = {}
    """Fields that hold an id, with the table it must be in."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def page(
        self, principal: Principal, *, after: Keys | None = None, limit: int = 50, **filters: object
    ) -> Sequence[Record]:
        """Return up to ``limit + 1`` records that the caller may see, after the keys; a filter of None is none."""
        principal.require(*self.readers)
        given = {name: value for name, value in filters.items() if value is not None}
        async with self._db.tenant(principal.school, read_only=True) as tx:
            conditions = [*await self._conditions(tx, principal, given), *await self._own(tx, principal)]
            records = await sql.page(tx, self.table, conditions, after=after, limit=limit)
            return await self._shown(tx, principal, records)

    async def get(self, principal: Principal, record_id: UUID) -> Record:
        """Return one record. Raises ``NotFound``, also where it is there but not for the caller."""
        principal.require(*self.readers)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            record = await self._found(tx, record_id, *await self._own(tx, principal))
            return (await self._shown(tx, principal, [record]))[0]

    async def add(self, principal: Principal, values: Values) -> Record:
        """Add a record and return it."""
        principal.require(Scope.RECORDS_WRITE)
        kept, record_id = cleaned(values), new_id()
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await self._check_references(tx, kept)
            await self._check(tx, kept, None)
            await self._insert(tx, principal, record_id, kept)
            return await self._found(tx, record_id)

    async def change(self, principal: Principal, record_id: UUID, version: int, changes: Values) -> Record:
        """Change what is given of a record. Raises ``Stale`` where it has changed since the version was read."""
        self._may_change(principal, record_id, changes)
        kept = cleaned(changes)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            before = await self._found(tx, record_id)
            await self._check_references(tx, kept)
            await self._check(tx, kept, before)
            await self._update(tx, record_id, version, kept)
            return await self._found(tx, record_id)

    async def remove(self, principal: Principal, record_id: UUID) -> None:
        """Remove a record. Raises ``Conflict`` where something refers to it."""
        principal.require(Scope.RECORDS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await self._found(tx, record_id)
            await self._delete(tx, record_id)

    def _may_change(self, principal: Principal, record_id: UUID, changes: Values) -> None:
        """Raise ``NotPermitted`` where the caller may not change this."""
        principal.require(Scope.RECORDS_WRITE)

    async def _conditions(self, tx: Transaction, principal: Principal, filters: Values) -> Sequence[Where]:
        """Return what the filters say: each is a column and its value, unless the kind of record has others."""
        return [where(f"r.{column} = {{}}", value) for column, value in filters.items()]

    async def _own(self, tx: Transaction, principal: Principal) -> Sequence[Where]:
        """Return the conditions that hold the caller to what is its own; none for those who may see all."""
        return ()

    async def _shown(self, tx: Transaction, principal: Principal, records: Sequence[Record]) -> Sequence[Record]:
        """Return the records without what the caller may not see of them."""
        return records

    async def _check(self, tx: Transaction, values: Values, before: Record | None) -> None:
        """Raise where the record would break a rule of its kind; ``before`` is None for a new one."""

    async def _insert(self, tx: Transaction, principal: Principal, record_id: UUID, values: Values) -> None:
        await sql.insert(tx, self.table.name, principal.school, {"id": record_id, **values})

    async def _update(self, tx: Transaction, record_id: UUID, version: int, changes: Values) -> None:
        if not await sql.change(tx, self.table.name, record_id, version, changes):
            raise Stale(f"someone else changed this {self.table.noun} since you read it; read it again")

    async def _delete(self, tx: Transaction, record_id: UUID) -> None:
        await sql.delete(tx, self.table.name, record_id)

    async def _found(self, tx: Transaction, record_id: UUID, *conditions: Where) -> Record:
        record = await sql.get(tx, self.table, where("r.id = {}", record_id), *conditions)
        if record is None:
            raise NotFound(f"there is no such {self.table.noun}")
        return record

    async def _check_references(self, tx: Transaction, values: Values) -> None:
        named = {
            field: (table, values[field]) for field, table in self.references.items() if values.get(field) is not None
        }
        for field in await sql.missing_references(tx, named):
            raise NotFound(f"there is no such {field.removesuffix('_id').replace('_', ' ')}")
