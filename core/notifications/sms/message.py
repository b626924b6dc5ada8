"""An SMS as it leaves: its text made fit for the air, and its bill once a provider has taken it."""

from core.notifications.model import Bill, Delivery, Receipt, Text
from core.notifications.sms.cleaning import cleaned, keeps_letters
from core.notifications.sms.pricing import Terms
from core.notifications.sms.segments import size_of


def as_sent(text: Text, delivery: Delivery) -> Text:
    """Return the text that goes out, with its segments."""
    letters = Terms.of(delivery.sms_rules).letters
    body = cleaned(text.body, keep_letters=keeps_letters(letters, delivery.language))
    return Text(text.title, body, size_of(body).segments)


def bill_of(delivery: Delivery, text: Text, receipt: Receipt, provider: str) -> Bill:
    """Return what a message cost that a provider took; ``provider`` counts where the receipt names none."""
    cost = Terms.of(delivery.sms_rules).cost(text.segments, receipt.provider or provider)
    return Bill(text.segments, cost, receipt.cost_kobo)
