"""Use cases of students. Guardians and students see only their own."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from typing_extensions import override

from core.access.principal import Principal, Scope
from core.ids import StudentId
from core.ports import Transaction
from core.school import account_store
from core.school.accounts import Owner, open_accounts, student_account
from core.school.contacts import tidy
from core.school.model import Child, Student, display_name
from core.school.records import calendar_store, people_store
from core.school.records.family import Family
from core.school.records.table import Values, Where, where
from core.school.records.values import refuse


class Students(Family[Student]):
    """Students of the present and the past, each with an account."""

    table = people_store.STUDENTS
    readers = (Scope.RECORDS_READ, Scope.OWN_READ)

    async def children(self, principal: Principal) -> Sequence[Child]:
        """Return the children of the guardian who asks; none for anyone else."""
        principal.require(Scope.OWN_READ)
        if principal.guardian_id is None:
            return []
        async with self._db.tenant(principal.school, read_only=True) as tx:
            session = await calendar_store.present_session(tx, self._clock.now())
            return await people_store.children(tx, principal.guardian_id, session)

    @override
    async def _own(self, tx: Transaction, principal: Principal) -> Sequence[Where]:
        if principal.may(Scope.RECORDS_READ):
            return ()
        return [where("r.id = ANY({})", await people_store.own_students(tx, principal))]

    @override
    async def _conditions(self, tx: Transaction, principal: Principal, filters: Values) -> Sequence[Where]:
        conditions: list[Where] = []
        if "search" in filters:
            conditions.append(people_store.named_or_numbered("student_no", searched(filters["search"])))
        if "class_arm_id" in filters or "session_id" in filters:
            session = filters.get("session_id") or await calendar_store.present_session(tx, self._clock.now())
            conditions.append(people_store.in_session(session, filters.get("class_arm_id")))
        if "present" in filters:
            conditions.append(where("(r.left_on IS NULL) = {}", filters["present"]))
        return conditions

    @override
    async def _insert(self, tx: Transaction, principal: Principal, record_id: UUID, values: Values) -> None:
        await super()._insert(tx, principal, record_id, values)
        name = display_name(values["family_name"], values["given_names"])
        account = student_account(StudentId(record_id), name=name, student_no=values["student_no"])
        await open_accounts(tx, principal.school, [account])

    @override
    async def _update(self, tx: Transaction, record_id: UUID, version: int, changes: Values) -> None:
        await super()._update(tx, record_id, version, changes)
        student = await self._found(tx, record_id)
        name = display_name(student.family_name, student.given_names)
        await account_store.change(tx, Owner.STUDENT, record_id, name=name, active=student.left_on is None)

    @override
    async def _delete(self, tx: Transaction, record_id: UUID) -> None:
        await account_store.delete(tx, Owner.STUDENT, record_id)
        await super()._delete(tx, record_id)


def searched(text: Any) -> str:
    """Return what is searched for. Raises ``InvalidInput`` for control characters."""
    try:
        return tidy(cast("str", text))
    except ValueError as error:
        raise refuse("search", str(error)) from error
