"""Serial numbers of cards: random, so that none can be guessed, and without letters that look alike. Pure."""

import re
import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O and U. Twelve of them are 60 bits."""
_LENGTH, _GROUP = 12, 4
_MISREAD = str.maketrans("OIL", "011")
_SERIAL = re.compile(f"[{_ALPHABET}]{{{_LENGTH}}}")


def new_serial() -> str:
    """Return a new serial: ``7F3K-9QXM-2TBD``."""
    return _grouped("".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)))


def normal(typed: str) -> str | None:
    """Return a serial as it is kept, from what a person typed; None where it can be none."""
    plain = typed.replace("-", "").replace(" ", "").upper().translate(_MISREAD)
    # Some letters outside ASCII become letters of ours as capitals, so that what was typed is asked, too.
    return _grouped(plain) if typed.isascii() and _SERIAL.fullmatch(plain) else None


def _grouped(plain: str) -> str:
    return "-".join(plain[place : place + _GROUP] for place in range(0, _LENGTH, _GROUP))
