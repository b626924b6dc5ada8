"""How many segments a text takes on the air: what an SMS is charged by.

The alphabet and its extension table are those of 3GPP TS 23.038, clause 6.2.1; a text with any other character goes
out in UCS-2 (clause 6.2.3). Parts of a longer text give six octets to a header that joins them (TS 23.040, clause
9.2.3.24.1); neither an escape and its character nor the two halves of a surrogate pair are parted.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"
"""Each takes an escape before it, and so two places."""

_WITHIN = frozenset(_BASIC + _EXTENSION)
_ESCAPED = re.compile(f"[{re.escape(_EXTENSION)}]")
_SURROGATED = re.compile("[\U00010000-\U0010ffff]")


class Encoding(StrEnum):
    """How a text is put on the air. Septets hold more than twice as many characters."""

    GSM_7 = "gsm7"
    UCS_2 = "ucs2"

    @property
    def alone(self) -> int:
        """How many places a text has that fits into one segment."""
        return 160 if self is Encoding.GSM_7 else 70

    @property
    def joined(self) -> int:
        """How many places each part of a longer text has."""
        return 153 if self is Encoding.GSM_7 else 67

    @property
    def double(self) -> re.Pattern[str]:
        """The characters that take two places."""
        return _ESCAPED if self is Encoding.GSM_7 else _SURROGATED


@dataclass(frozen=True, slots=True)
class Size:
    """What a text takes."""

    encoding: Encoding
    units: int
    """Places taken: septets, or UTF-16 code units."""
    segments: int
    left: int
    """Places free before there would be one segment more."""


def in_gsm_7(text: str) -> bool:
    """Tell whether every character of a text is in the alphabet or its extension."""
    return _WITHIN.issuperset(text)


def size_of(text: str) -> Size:
    """Return what a text takes on the air. An empty one takes no segment."""
    encoding = Encoding.GSM_7 if in_gsm_7(text) else Encoding.UCS_2
    doubles = [found.start() for found in encoding.double.finditer(text)]
    units = len(text) + len(doubles)
    if units <= encoding.alone:
        return Size(encoding, units, min(units, 1), encoding.alone - units)
    segments, used = _packed(len(text), doubles, encoding.joined)
    return Size(encoding, units, segments, encoding.joined - used)


def _packed(length: int, doubles: list[int], room: int) -> tuple[int, int]:
    """Return how many parts there are, and how much of the last is used. ``doubles`` are places of double width."""
    start = padding = 0
    for number, index in enumerate(doubles):
        # Where this character begins, with the doubles before it and the places left empty by earlier ones.
        start = index + number + padding
        padding += start % room == room - 1
    total = length + len(doubles) + padding
    return -(-total // room), (total - 1) % room + 1
