"""The release gate: a school may withhold cards for unpaid fees. Off unless its policy says so, and logged each time.

Whether a school may do this at all is a matter of law and conscience that differs between states; so it takes a
policy of its own with a date and an author, and anyone of its leaders may set it aside for a student.
"""

from collections.abc import Sequence
from datetime import date

from core.access.principal import Principal, Scope
from core.clock import Clock, local_date
from core.errors import Conflict, Fault, InvalidInput
from core.ids import StudentId, TermId
from core.money import Kobo, as_text
from core.ports import Database, Transaction
from core.reports import release_store as store
from core.reports import rights
from core.reports.release_store import Gate, ReleaseAction, ReleaseEntry
from core.school.fees import balance_store
from core.telemetry import get_logger

log = get_logger("reports")

_LONGEST_REASON = 300


class Release:
    """Decides whose card is handed out."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def withheld(
        self, tx: Transaction, student_ids: Sequence[StudentId], term_id: TermId
    ) -> dict[StudentId, str]:
        """Return whose cards may not be handed out now, each with its reason, and write it into the log.

        For use where a card is about to be handed out. The transaction's actor stands in the log.
        """
        gates = {gate.student_id: gate for gate in await store.gates(tx, term_id, student_ids)}
        owed = await self._owed(tx, term_id, [gate for gate in gates.values() if _shut(gate)])
        held = {who: amount for who, amount in owed.items() if amount > gates[who].policy.tolerated_kobo}
        if held:
            await store.write(
                tx,
                term_id,
                action=ReleaseAction.WITHHELD,
                reason="",
                at=self._clock.now(),
                owed=held,
                policies={who: gates[who].policy_id for who in held},
            )
            log.info("cards_withheld", term_id=str(term_id), cards=len(held))
        return {who: f"Fees of {as_text(amount)} are unpaid; please see the bursar." for who, amount in held.items()}

    async def _owed(self, tx: Transaction, term_id: TermId, gates: Sequence[Gate]) -> dict[StudentId, Kobo]:
        if not gates:
            return {}
        today = local_date(self._clock.now(), await store.time_zone(tx))
        found: dict[StudentId, Kobo] = {}
        for overdue_only in (True, False):
            who = [gate.student_id for gate in gates if gate.policy.overdue_only is overdue_only]
            due: date | None = today if overdue_only else None
            found |= await balance_store.owed_by(tx, term_id, who, due_before=due) if who else {}
        return found

    async def override(self, principal: Principal, *, term_id: TermId, student_id: StudentId, reason: str) -> None:
        """Let a student's card of a term out, whatever is owed. Raises ``NotFound``, ``InvalidInput``."""
        if not reason or len(reason) > _LONGEST_REASON:
            what = f"say in 1 to {_LONGEST_REASON} characters why"
            raise InvalidInput(what, [Fault("/reason", what, "missing")])
        await self._log(principal, term_id, student_id, ReleaseAction.OVERRIDDEN, reason)

    async def restore(self, principal: Principal, *, term_id: TermId, student_id: StudentId) -> None:
        """Let the policy hold again for a student's card. Raises ``Conflict`` where it was not set aside."""
        await self._log(principal, term_id, student_id, ReleaseAction.RESTORED, "")

    async def entries(
        self, principal: Principal, *, term_id: TermId, below: int | None, limit: int
    ) -> Sequence[ReleaseEntry]:
        """Return what was withheld, set aside and restored in a term, newest first."""
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            await rights.require_term(tx, term_id)
            return await store.entries(tx, term_id, below=below, limit=limit)

    async def _log(
        self, principal: Principal, term_id: TermId, student_id: StudentId, action: ReleaseAction, reason: str
    ) -> None:
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await rights.class_of(tx, term_id, student_id)
            gates = await store.gates(tx, term_id, [student_id])
            if action is ReleaseAction.RESTORED and not gates[0].overridden:
                raise Conflict("nothing was set aside for this student and term")
            await store.write(
                tx,
                term_id,
                action=action,
                reason=reason,
                at=self._clock.now(),
                owed={student_id: None},
                policies={student_id: gates[0].policy_id},
            )
        log.info("card_release_decided", action=action.value, term_id=str(term_id), student_id=str(student_id))


def _shut(gate: Gate) -> bool:
    return gate.policy.withhold_unpaid and not gate.overridden
