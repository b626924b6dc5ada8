"""Use cases of guardians and their consents.

Phone and email are shown to school admins and principals, to the class teacher of a child's arm, and to the guardian;
everyone else reads the record without them.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from typing_extensions import override

from core.access.principal import Principal, Role, Scope
from core.errors import NotPermitted
from core.ids import ConsentId, GuardianId, new_id
from core.ports import Transaction
from core.school import account_store
from core.school.accounts import Owner, guardian_account, open_accounts
from core.school.model import Channel, Consent, Guardian, display_name
from core.school.records import calendar_store, links_store, people_store
from core.school.records import table as sql
from core.school.records.family import Family
from core.school.records.students import searched
from core.school.records.table import Keys, Values, Where, where
from core.school.records.values import refuse

SELF_SERVICE = frozenset({"language", "channel_order"})
"""What guardians change themselves. Addresses are changed by the school: whoever can move them gets the messages."""


class Guardians(Family[Guardian]):
    """Guardians, each with an account."""

    table = people_store.GUARDIANS
    readers = (Scope.RECORDS_READ, Scope.OWN_READ)

    async def consents(
        self, principal: Principal, guardian_id: GuardianId, *, after: Keys | None = None, limit: int = 50
    ) -> Sequence[Consent]:
        """Return a guardian's consents, newest first."""
        await self.get(principal, guardian_id)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            conditions = [where("r.guardian_id = {}", guardian_id)]
            return await sql.page(tx, links_store.CONSENTS, conditions, after=after, limit=limit)

    async def consent(
        self, principal: Principal, guardian_id: GuardianId, *, channel: Channel, granted: bool, source: str = "form"
    ) -> Consent:
        """Append a consent; it counts from now on. A guardian's own is always of the portal."""
        own = _is_own(principal, guardian_id)
        if not own:
            principal.require(Scope.RECORDS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await self._found(tx, guardian_id)
            consent = Consent(
                id=ConsentId(new_id()),
                guardian_id=guardian_id,
                channel=channel,
                granted=granted,
                source="portal" if own else source,
                recorded_by=principal.user_id,
                recorded_at=self._clock.now(),
            )
            await links_store.add_consent(tx, principal.school, consent)
            return consent

    @override
    def _may_change(self, principal: Principal, record_id: UUID, changes: Values) -> None:
        if not _is_own(principal, record_id):
            principal.require(Scope.RECORDS_WRITE)
        elif set(changes) - SELF_SERVICE:
            raise NotPermitted("language and channel order can be changed here; ask the school to change anything else")

    @override
    async def _own(self, tx: Transaction, principal: Principal) -> Sequence[Where]:
        return () if principal.may(Scope.RECORDS_READ) else [where("r.id = {}", principal.guardian_id)]

    @override
    async def _shown(self, tx: Transaction, principal: Principal, records: Sequence[Guardian]) -> Sequence[Guardian]:
        if _sees_all_contacts(principal) or not principal.may(Scope.RECORDS_READ):
            return records
        session = await calendar_store.present_session(tx, self._clock.now())
        in_charge = principal.staff_id if principal.has_role(Role.CLASS_TEACHER) else None
        shown = await people_store.contacts_in_charge(tx, in_charge, [record.id for record in records], session)
        return [
            record if record.id in shown else replace(record, phone=None, email=None, contact_hidden=True)
            for record in records
        ]

    @override
    async def _conditions(self, tx: Transaction, principal: Principal, filters: Values) -> Sequence[Where]:
        conditions: list[Where] = []
        if "search" in filters:
            conditions.append(people_store.named(searched(filters["search"])))
        if "student_id" in filters:
            conditions.append(people_store.of_student(filters["student_id"]))
        if "phone" in filters:
            if not _sees_all_contacts(principal):
                raise NotPermitted("only those who see all guardians' phones may search by one")
            conditions.append(where("r.phone = {}", filters["phone"]))
        return conditions

    @override
    async def _check(self, tx: Transaction, values: Values, before: Guardian | None) -> None:
        order = values.get("channel_order", ())
        if len(set(order)) != len(order):
            raise refuse("channel_order", "each channel may stand once", "duplicate")

    @override
    async def _insert(self, tx: Transaction, principal: Principal, record_id: UUID, values: Values) -> None:
        await super()._insert(tx, principal, record_id, values)
        name = display_name(values["family_name"], values["given_names"])
        guardian_id = GuardianId(record_id)
        account = guardian_account(guardian_id, name=name, email=values.get("email"), phone=values.get("phone"))
        await open_accounts(tx, principal.school, [account])

    @override
    async def _update(self, tx: Transaction, record_id: UUID, version: int, changes: Values) -> None:
        await super()._update(tx, record_id, version, changes)
        guardian = await self._found(tx, record_id)
        name = display_name(guardian.family_name, guardian.given_names)
        await account_store.change(tx, Owner.GUARDIAN, record_id, name=name)

    @override
    async def _delete(self, tx: Transaction, record_id: UUID) -> None:
        await account_store.delete(tx, Owner.GUARDIAN, record_id)
        await super()._delete(tx, record_id)


def _is_own(principal: Principal, guardian_id: UUID) -> bool:
    return principal.guardian_id == guardian_id and principal.may(Scope.OWN_READ)


def _sees_all_contacts(principal: Principal) -> bool:
    return principal.may(Scope.RECORDS_READ) and principal.has_role(Role.SCHOOL_ADMIN, Role.PRINCIPAL)
