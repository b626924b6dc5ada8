"""Why a message did or did not arrive, in the words of the school's office (P4-28)."""

from collections.abc import Mapping

from core.notifications.model import Channel, Outcome, Reason, State
from core.notifications.receipts import ReceiptState

_REASONS: Mapping[str, str] = {
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
    Reason.GAVE_UP: "too many attempts ended without an answer",
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

_BELL_SENT = "it is in the bell"


def why(state: str, reason: str | None, channel: str) -> str:
    """Return where a delivery stands and why, as a sentence."""
    standing = _BELL_SENT if state == State.SENT and channel == Channel.PUSH else _STATES[state]
    return f"{standing}: {_REASONS.get(reason, reason)}" if reason else standing


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
