"""An SMS as it leaves: its text made fit for the air, and its bill once a provider has taken it."""

from dataclasses import replace

from core.notifications.model import Attempt, Bill, Delivery, Receipt, Text
from core.notifications.sms.cleaning import cleaned, keeps_letters
from core.notifications.sms.pricing import Terms
from core.notifications.sms.segments import size_of


def as_sent(text: Text, delivery: Delivery) -> Text:
    """Return the text that goes out, with its segments."""
    letters = Terms.of(delivery.sms_rules).letters
    body = cleaned(text.body, keep_letters=keeps_letters(letters, delivery.language))
    return Text(text.title, body, size_of(body).segments)


def billed(attempt: Attempt, text: Text, receipt: Receipt) -> Attempt:
    """Return the attempt with what it cost; a message that has no segments costs nothing."""
    if not text.segments:
        return attempt
    cost = Terms.of(attempt.delivery.sms_rules).cost(text.segments, attempt.provider)
    return replace(attempt, bill=Bill(text.segments, cost, receipt.cost_kobo))
