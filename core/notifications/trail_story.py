"""A message's trail in words, for the school's office (P4-28): what happened, in order, and whether it arrived."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.notifications.explanation import fallen, why
from core.notifications.model import Channel, Outcome, Reason, State
from core.notifications.receipts import ReceiptState
from core.notifications.trail_records import (
    ActionRecord,
    AttemptRecord,
    DeliveryRecord,
    DeliveryTrail,
    ReportRecord,
    Step,
)

_CHANNELS: Mapping[Channel, str] = {
    Channel.EMAIL: "email",
    Channel.SMS: "SMS",
    Channel.PUSH: "the bell",
    Channel.DEVICE: "push",
}
_SHARED = "told in the message about a sister or brother"
_WAITING = frozenset({State.QUEUED, State.RETRY, State.CLAIMED, State.SENDING})


def story_of(
    delivery: DeliveryRecord,
    attempts: Sequence[AttemptRecord],
    reports: Sequence[ReportRecord],
    actions: Sequence[ActionRecord],
) -> list[Step]:
    """Return every step of a delivery in order, the last one where it stands now."""
    steps = [Step(delivery.created_at, _begin(delivery, actions))]
    steps += [Step(each.finished_at or each.started_at, _tried(each)) for each in attempts]
    steps += [Step(each.received_at, f"{each.provider} reports: {each.explanation}") for each in reports]
    steps += [Step(each.at, _done(each)) for each in actions]
    steps.sort(key=lambda step: step.at)
    return steps + _end(delivery)


def _begin(delivery: DeliveryRecord, actions: Sequence[ActionRecord]) -> str:
    way = _CHANNELS[delivery.channel]
    first_state, first_reason = (
        (actions[0].was_state, actions[0].was_reason) if actions else (delivery.state, delivery.reason)
    )
    if first_state is State.SKIPPED:
        return f"ruled out for {way}: {why(State.SKIPPED, first_reason, delivery.channel)}"
    begun = f"{fallen(delivery.fell_back_from)}; planned" if delivery.fell_back_from else "planned"
    kind = " as promotional" if delivery.promotional else ""
    return f"{begun} for {way}{kind}" + (f" to {delivery.address}" if delivery.address else "")


def _tried(attempt: AttemptRecord) -> str:
    said = f"attempt {attempt.number}: {attempt.explanation}"
    if attempt.provider and attempt.outcome is not Outcome.LOST:
        said += f" ({attempt.provider}" + (f": {attempt.detail})" if attempt.detail else ")")
    return said


def _done(action: ActionRecord) -> str:
    who = action.actor_name or "the system"
    return f"{who} had it sent again" if action.action == "resent" else f"{who} set it aside"


def _end(delivery: DeliveryRecord) -> list[Step]:
    if delivery.state is State.DEAD and delivery.finished_at:
        return [Step(delivery.finished_at, delivery.explanation)]
    if delivery.next_attempt_at:
        return [Step(delivery.next_attempt_at, _planned(delivery))]
    return []


def _planned(delivery: DeliveryRecord) -> str:
    held = delivery.reason in {Reason.HELD_BACK, Reason.QUIET_HOURS}
    return delivery.explanation if held else "the next attempt is planned for then"


def verdict_on(trails: Sequence[DeliveryTrail]) -> str:
    """Return in one sentence whether a message arrived, over all its channels."""
    of = {trail.delivery.channel: trail.delivery for trail in trails}
    outside = [delivery for channel, delivery in of.items() if channel is not Channel.PUSH]
    for told, fits in (("arrived", _arrived), ("sent", _went), ("on its way", _waits), (_SHARED, _shared)):
        ways = [_CHANNELS[delivery.channel] for delivery in outside if fits(delivery)]
        if ways:
            return f"{told} by {' and '.join(ways)}{_instead(of.get(Channel.SMS), ways)}"
    failures = "; ".join(f"{_CHANNELS[delivery.channel]}: {delivery.explanation}" for delivery in outside)
    bell = of.get(Channel.PUSH)
    if bell is not None and bell.state is State.SENT:
        return f"in the bell only ({failures})" if failures else "in the bell, the first in the guardian's order"
    if bell is not None and bell.state in _WAITING:
        return f"on its way to the bell ({failures})" if failures else "on its way to the bell"
    return f"not received ({failures})" if failures else "not received: the recipient has switched the bell off"


def _instead(sms: DeliveryRecord | None, ways: Sequence[str]) -> str:
    """Return that a promotional SMS was ruled out, where another channel took its place."""
    if sms is None or sms.state is not State.SKIPPED or sms.reason != Reason.DO_NOT_DISTURB:
        return ""
    return f" (number is on the DND list: promotional SMS not sent, {' and '.join(ways)} instead)"


def _arrived(delivery: DeliveryRecord) -> bool:
    return delivery.receipt_state in {ReceiptState.DELIVERED, ReceiptState.COMPLAINED}


def _shared(delivery: DeliveryRecord) -> bool:
    return delivery.reason == Reason.WITH_SIBLING


def _went(delivery: DeliveryRecord) -> bool:
    return delivery.state is State.SENT and delivery.receipt_state in {None, ReceiptState.ON_THE_WAY}


def _waits(delivery: DeliveryRecord) -> bool:
    return delivery.state in _WAITING


def why_nothing(facts: Mapping[str, Any] | None) -> str:
    """Return why there is no message at all of an event, from what is known of event, student and guardian."""
    if facts is None:
        return "no message fits; name an event as well to be told why"
    reasons = (
        (not facts["known"], "there is no such event"),
        (not facts["handled"], "the event has not been handled yet, or lies with the dead events"),
        (facts["student_named"] is False, "the event is not about this student"),
        (facts["linked"] is False, "the guardian is not linked to a student whom the event is about"),
        (facts["receives"] is False, "the link between guardian and student is set to receive no messages"),
        (facts["has_account"] is False, "the guardian has no account"),
    )
    return next((said for holds, said in reasons if holds), "nobody was to be told when the event was handled")
