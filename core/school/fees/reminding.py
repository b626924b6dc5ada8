"""Sends the reminders that are due: for each school one transaction, so that a crash neither loses nor doubles one."""

from datetime import timedelta

from core.clock import Clock
from core.errors import SchoolOSError
from core.events.looping import Stoppable
from core.events.outbox import emit
from core.events.types import FeeReminder
from core.ids import EventId, FeeId, SchoolId
from core.ports import Database, Transaction
from core.school import policy_store
from core.school.fees import balance_store, reminder_store
from core.school.fees.reminders import ReminderDay, reminder_day
from core.school.model import PolicyKind
from core.school.policies import FeeReminderPolicy, parse_policy
from core.telemetry import get_logger

log = get_logger("fees")

EVERY = timedelta(minutes=1)


class FeeReminders:
    """Looks every minute what is due in each school. Several may run at once."""

    def __init__(self, db: Database, clock: Clock, every: timedelta = EVERY) -> None:
        self._db = db
        self._clock = clock
        self._every = every
        self._loops = Stoppable("fee reminders")
        self.sent = 0

    async def run(self) -> None:
        """Send what is due, again and again, until stopped."""
        await self._loops.loop(self._turn)

    def stop(self) -> None:
        """Let ``run`` end after the school under way."""
        self._loops.stop()

    async def send_due(self) -> int:
        """Send what is due by now and was not sent today; return how many. One school's fault stays its own."""
        sent = 0
        for school_id, time_zone in await reminder_store.schools(self._db):
            if self._loops.stopped:
                break
            try:
                sent += await self._send_school(school_id, time_zone)
            except SchoolOSError as error:
                log.warning("reminders_failed", school_id=str(school_id), error=type(error).__name__)
        self.sent += sent
        return sent

    async def _turn(self) -> None:
        await self.send_due()
        await self._loops.pause(self._every)

    async def _send_school(self, school_id: SchoolId, time_zone: str) -> int:
        async with self._db.tenant(school_id) as tx:
            policy = await policy_store.in_force(tx, PolicyKind.FEE_REMINDER)
            if policy is None:
                return 0
            rules = parse_policy(PolicyKind.FEE_REMINDER, policy.body)
            assert isinstance(rules, FeeReminderPolicy)  # noqa: S101 - of this kind
            due = reminder_day(rules, self._clock.now(), time_zone)
            return 0 if due is None else await self._send(tx, school_id, due)

    async def _send(self, tx: Transaction, school_id: SchoolId, due: ReminderDay) -> int:
        now = self._clock.now()
        fees = await reminder_store.claim(tx, due.day, due.due_dates, now)
        if not fees:
            return 0
        owing = await balance_store.owing(tx, [fee.id for fee in fees])
        events: dict[FeeId, EventId] = {}
        for fee in fees:
            if fee.id in owing:
                payload = FeeReminder(
                    fee_id=fee.id,
                    fee_type=fee.name,
                    student_ids=tuple(owing[fee.id]),
                    amount_kobo=fee.amount_kobo,
                    currency=fee.currency,
                    due_date=fee.due_on,
                    balances_kobo=owing[fee.id],
                )
                events[fee.id] = await emit(tx, school_id=school_id, payload=payload, occurred_at=now)
        await reminder_store.note_events(tx, due.day, events)
        log.info("reminders_sent", school_id=str(school_id), fees=len(fees), events=len(events))
        return len(events)
