"""Names, phone numbers and email addresses, brought to the one form in which they are kept."""

import unicodedata

import phonenumbers
from email_validator import EmailNotValidError, validate_email

DEFAULT_REGION = "NG"
"""Where a number without a country code is."""


def tidy(text: str) -> str:
    """Return text composed (NFC), with single spaces and without any around it; diacritics stay.

    Raises ``ValueError`` for control characters, which no name or note has.
    """
    tidied = " ".join(unicodedata.normalize("NFC", text).split())
    if any(unicodedata.category(character) == "Cc" for character in tidied):
        raise ValueError("control characters are not allowed")
    return tidied


def e164(phone: str, region: str = DEFAULT_REGION) -> str:
    """Return a phone number as E.164 (``0803 123 4567`` is ``+2348031234567``). Raises ``ValueError``."""
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException as error:
        raise ValueError("this is no phone number; write it like 0803 123 4567 or +234 803 123 4567") from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError("there is no such phone number; write it like 0803 123 4567 or +234 803 123 4567")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def email_address(email: str) -> str:
    """Return an email address in its normal form. Raises ``ValueError``.

    Whether the domain takes mail is found out by writing to it. Reserved test domains are allowed, for demo people.
    """
    try:
        return validate_email(email, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise ValueError(f"this is no email address: {error}") from error
