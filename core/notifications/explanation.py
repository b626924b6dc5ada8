"""Why a message did or did not arrive, in the words of the school's office (P4-28)."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from core.notifications.model import Channel, Outcome, Reason, State
from core.notifications.receipts import ReceiptState

_REASONS: Mapping[str, str] = {
    Reason.HELD_BACK: "others may join it until then",
    Reason.QUIET_HOURS: "quiet hours",
    Reason.WITH_SIBLING: "it is told in the message about a sister or brother",
    Reason.OPTED_OUT: "the recipient has switched this kind of message off for this channel",
    Reason.NO_CONSENT: "no consent for this channel is recorded, or it was withdrawn",
    Reason.NO_ADDRESS: "no address for this channel is recorded",
    Reason.INACTIVE: "the recipient's account is closed",
    Reason.NO_PROVIDER: "no provider is set up for this channel",
    Reason.REJECTED: "the provider refuses this message or address for good; check the address",
    Reason.UNAVAILABLE: "the provider did not take it, and the last retry is used up",
    Reason.TIMED_OUT: "the provider did not answer in time, and the last retry is used up",
    Reason.BAD_ADDRESS: "the number or address does not exist, or can't take such messages",
    Reason.RECIPIENT_BLOCKED: "the recipient has told the provider or the network to stop messages from this sender",
    Reason.DO_NOT_DISTURB: "the number is on the network's do-not-disturb list",
    Reason.NO_DEVICE: "none of the recipient's devices takes push any more",
    Reason.UNREACHABLE: "it could not be reached in time: switched off, out of coverage, or a full mailbox",
    Reason.NOT_ON_NETWORK: "the number is not on the network",
    Reason.FILTERED: "the network or the mail server took it for spam",
    Reason.UNDELIVERED: "the network gives no reason",
    Reason.UNRENDERABLE: "the message could not be written from the event's facts",
    Reason.OVER_BUDGET: "the month's SMS budget is used up; the bell has it, and email where there is one",
    Reason.GAVE_UP: "too many attempts ended without an answer",
    Reason.IN_DOUBT: "it is not known whether it has left, and this kind is not sent twice; resend it by hand",
}

_STATES: Mapping[str, str] = {
    State.QUEUED: "waiting for its first attempt",
    State.CLAIMED: "a worker is about to send it",
    State.SENDING: "it is being sent, or the worker was lost and it will be sent again with the same key",
    State.SENT: "the provider took it",
    State.RETRY: "an attempt failed; the next is planned",
    State.SKIPPED: "not sent",
    State.DEAD: "given up",
}

_RECEIPTS: Mapping[str, str] = {
    ReceiptState.ON_THE_WAY: "the provider took it, and it is on its way",
    ReceiptState.DELIVERED: "delivered, as the network or the mail server says",
    ReceiptState.UNDELIVERED: "the provider took it, but it was not delivered",
    ReceiptState.COMPLAINED: "delivered, and the recipient called it spam",
}

_OUTCOMES: Mapping[str, str] = {
    Outcome.SENT: "taken by the provider",
    Outcome.REJECTED: "refused for good",
    Outcome.FAILED: "failed",
    Outcome.TIMED_OUT: "no answer in time",
    Outcome.THROTTLED: "the provider asked to come back later",
    Outcome.LOST: "the worker was lost before it could note the answer; sent again with the same key",
}

_BARRED = "the number is on the network's do-not-disturb (DND) list, and the message is promotional"
"""Nothing else is ruled out for that reason: other kinds are tried, and may be refused."""
_BELL_SENT = "it is in the bell"
_WAITS = frozenset({Reason.HELD_BACK, Reason.QUIET_HOURS})
"""Why a delivery is not yet on its way."""


def why(
    state: str,
    reason: str | None,
    channel: str,
    *,
    until: datetime | None = None,
    zone: str | None = None,
    fell_back_from: str | None = None,
    promotional: bool = False,
) -> str:
    """Return where a delivery stands and why, as a sentence; ``until`` when it waits, told by the school's clocks."""
    if state == State.SKIPPED and reason == Reason.DO_NOT_DISTURB:
        return f"{_STATES[state]}: {_BARRED}"
    standing = _BELL_SENT if state == State.SENT and channel == Channel.PUSH else _STATES[state]
    told = standing
    if reason and _counts(state, reason):
        told += f": {_because(state, reason, until, zone, promotional=promotional)}"
    return f"{told}; {fallen(fell_back_from)}" if fell_back_from else told


def fallen(fell_back_from: str) -> str:
    """Return from which channel a delivery fell back, and why: ``fell back from sms: the number is not on ...``."""
    channel, _, reason = fell_back_from.partition(":")
    return f"fell back from {channel}: {_REASONS.get(reason, reason)}"


def _counts(state: str, reason: str) -> bool:
    """Tell whether a reason still holds: what a delivery waited for is over once it is on its way."""
    return reason not in _WAITS or state not in {State.CLAIMED, State.SENDING, State.SENT}


def _because(state: str, reason: str, until: datetime | None, zone: str | None, *, promotional: bool) -> str:
    if reason not in _WAITS or until is None or state not in {State.QUEUED, State.RETRY}:
        return _REASONS.get(reason, reason)
    clock = f"{until.astimezone(ZoneInfo(zone)) if zone else until:%H:%M}"
    if reason == Reason.HELD_BACK:
        return f"others may join it until {clock}"
    return f"promotional: waits until {clock}, the end of quiet hours" if promotional else f"quiet hours until {clock}"


def what_came_of_it(receipt_state: str, reason: str | None) -> str:
    """Return what a receipt tells, as a sentence: ``it was not delivered: the number is not on the network``."""
    told = _RECEIPTS[receipt_state]
    return f"{told}: {_REASONS.get(reason, reason)}" if reason else told


def outcome_in_words(outcome: str) -> str:
    """Return how an attempt ended, as a phrase."""
    return _OUTCOMES.get(outcome, outcome)


def masked(address: str | None) -> str | None:
    """Return an address with all but its ends hidden: ``+234•••••567``, ``a•••@example.org``."""
    if address is None:
        return None
    name, at, domain = address.partition("@")
    if at:
        return f"{name[:1]}•••@{domain}"
    return f"{address[:4]}•••••{address[-3:]}" if len(address) > 7 else "•••"
