"""Use cases of staff. Their roles are those of their accounts, and giving one is managing users."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from typing_extensions import override

from core.access.principal import Principal, Role, Scope
from core.errors import Conflict
from core.ids import StaffId
from core.ports import Transaction
from core.school import account_store
from core.school.accounts import Owner, check_staff_roles, open_accounts, staff_account
from core.school.model import Staff, display_name
from core.school.records import people_store
from core.school.records.family import Family
from core.school.records.students import searched
from core.school.records.table import Values, Where, where


class StaffRecords(Family[Staff]):
    """Members of staff, each with an account. Guardians and students don't see them."""

    table = people_store.STAFF

    @override
    async def add(self, principal: Principal, values: Values) -> Staff:
        """Add a member of staff with an account of the given roles; a subject teacher where none is given."""
        _require_for_roles(principal, values)
        return await super().add(principal, values)

    @override
    def _may_change(self, principal: Principal, record_id: UUID, changes: Values) -> None:
        principal.require(Scope.RECORDS_WRITE)
        _require_for_roles(principal, changes)

    @override
    async def _conditions(self, tx: Transaction, principal: Principal, filters: Values) -> Sequence[Where]:
        conditions: list[Where] = []
        if "search" in filters:
            conditions.append(people_store.named_or_numbered("staff_no", searched(filters["search"])))
        if "role" in filters:
            conditions.append(where("{} = ANY(u.roles)", filters["role"]))
        if "active" in filters:
            conditions.append(where("r.active = {}", filters["active"]))
        return conditions

    @override
    async def _check(self, tx: Transaction, values: Values, before: Staff | None) -> None:
        check_staff_roles(values.get("roles", ()))

    @override
    async def _insert(self, tx: Transaction, principal: Principal, record_id: UUID, values: Values) -> None:
        row, roles = _parted(values)
        await super()._insert(tx, principal, record_id, row)
        account = staff_account(
            StaffId(record_id),
            name=display_name(row["family_name"], row["given_names"]),
            staff_no=row["staff_no"],
            email=row.get("email"),
            phone=row.get("phone"),
            roles=roles or (),
        )
        await open_accounts(tx, principal.school, [account])

    @override
    async def _update(self, tx: Transaction, record_id: UUID, version: int, changes: Values) -> None:
        row, roles = _parted(changes)
        await super()._update(tx, record_id, version, row)
        staff = await self._found(tx, record_id)
        await account_store.change(
            tx,
            Owner.STAFF,
            record_id,
            name=display_name(staff.family_name, staff.given_names),
            active=staff.active,
            roles=roles,
        )
        await self._keep_an_admin(tx, staff)

    @override
    async def _delete(self, tx: Transaction, record_id: UUID) -> None:
        staff = await self._found(tx, record_id)
        await account_store.delete(tx, Owner.STAFF, record_id)
        await super()._delete(tx, record_id)
        await self._keep_an_admin(tx, staff)

    async def _keep_an_admin(self, tx: Transaction, staff: Staff) -> None:
        """Raise ``Conflict`` where nobody would be left to administer the school."""
        if Role.SCHOOL_ADMIN in staff.roles and not await people_store.has_admin(tx):
            raise Conflict("someone must stay who administers the school; give another the role school_admin first")


def _parted(values: Values) -> tuple[Mapping[str, Any], Sequence[Role] | None]:
    """Return the columns of the record and, apart, the roles of the account."""
    return {name: value for name, value in values.items() if name != "roles"}, values.get("roles")


def _require_for_roles(principal: Principal, values: Values) -> None:
    if "roles" in values:
        principal.require(Scope.USERS_MANAGE)
