"""How many segments a text takes: worked by hand, and against an oracle that counts another way."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.notifications.sms.segments import Encoding, Size, size_of

GSM, UCS = Encoding.GSM_7, Encoding.UCS_2

# The default alphabet by code point, row by row of Unicode's mapping of GSM 03.38
# (https://www.unicode.org/Public/MAPPINGS/ETSI/GSM0338.TXT); 0x1B is the escape.
_ROWS = """
40 A3 24 A5 E8 E9 F9 EC F2 C7 0A D8 F8 0D C5 E5
394 5F 3A6 393 39B 3A9 3A0 3A8 3A3 398 39E - C6 E6 DF C9
20 21 22 23 A4 25 26 27 28 29 2A 2B 2C 2D 2E 2F
30 31 32 33 34 35 36 37 38 39 3A 3B 3C 3D 3E 3F
A1 41 42 43 44 45 46 47 48 49 4A 4B 4C 4D 4E 4F
50 51 52 53 54 55 56 57 58 59 5A C4 D6 D1 DC A7
BF 61 62 63 64 65 66 67 68 69 6A 6B 6C 6D 6E 6F
70 71 72 73 74 75 76 77 78 79 7A E4 F6 F1 FC E0
"""
BASIC = {chr(int(code, 16)) for code in _ROWS.split() if code != "-"}
EXTENSION = {chr(code) for code in (0x0C, 0x5E, 0x7B, 0x7D, 0x5C, 0x5B, 0x7E, 0x5D, 0x7C, 0x20AC)}


def oracle(text: str) -> tuple[Encoding, int, int]:
    """Return encoding, units and segments, by cutting the encoded text piece by piece."""
    if set(text) <= BASIC | EXTENSION:
        septets = "".join(f"\x1b{char}" if char in EXTENSION else char for char in text)
        return GSM, len(septets), _pieces(septets, 160, 153, lambda cut: septets[cut - 1] == "\x1b")
    units = text.encode("utf-16-be")
    high = [0xD8 <= units[place] <= 0xDB for place in range(0, len(units), 2)]
    return UCS, len(high), _pieces(high, 70, 67, lambda cut: high[cut - 1])


def _pieces(units: str | list[bool], alone: int, joined: int, splits: Callable[[int], bool]) -> int:
    if len(units) <= alone:
        return min(1, len(units))
    pieces = at = 0
    while at < len(units):
        cut = min(at + joined, len(units))
        at = cut - 1 if cut < len(units) and splits(cut) else cut
        pieces += 1
    return pieces


@pytest.mark.parametrize(
    ("text", "encoding", "segments", "left"),
    [
        ("", GSM, 0, 160),
        ("a" * 160, GSM, 1, 0),
        ("a" * 161, GSM, 2, 145),
        ("a" * 306, GSM, 2, 0),
        ("a" * 307, GSM, 3, 152),
        ("ọ" * 70, UCS, 1, 0),
        ("ọ" * 71, UCS, 2, 63),
        ("ọ" * 134, UCS, 2, 0),
        ("ọ" * 135, UCS, 3, 66),
        ("€" * 80, GSM, 1, 0),
        ("€" * 81, GSM, 2, 143),  # 76 in the first part, whose last place stays empty; 5 in the second
        ("a" * 158 + "{", GSM, 1, 0),
        ("a" * 159 + "{", GSM, 2, 145),
        ("a" * 152 + "[" + "b" * 7, GSM, 2, 144),  # the escape would be cut off: place 153 stays empty
        ("a" * 151 + "[" + "b" * 8, GSM, 2, 145),
        ("ọ" * 66 + "😀" + "b" * 3, UCS, 2, 62),  # the halves stay together: place 67 stays empty
        ("ọ" * 65 + "😀" + "b" * 4, UCS, 2, 63),
        ("ọ" * 68 + "😀", UCS, 1, 0),
        ("😀" * 35, UCS, 1, 0),
        ("😀" * 36, UCS, 2, 61),  # 33 and 3
    ],
)
def test_segments_worked_by_hand(text: str, encoding: Encoding, segments: int, left: int) -> None:
    """Texts at each boundary take what arithmetic on paper says."""
    size = size_of(text)
    assert (size.encoding, size.segments, size.left) == (encoding, segments, left)


def test_extension_characters_count_two() -> None:
    """Each of the ten characters of the extension table takes two places, and no other."""
    twice = {char for char in map(chr, range(0x3000)) if size_of(char) == Size(GSM, 2, 1, 158)}
    once = {char for char in map(chr, range(0x3000)) if size_of(char) == Size(GSM, 1, 1, 159)}
    assert twice == EXTENSION
    assert once == BASIC


_NEAR_EDGES = st.sampled_from("aaaaab€[é\nọ😀") | st.characters(exclude_categories=["Cs"])
_GSM_ONLY = st.text(st.sampled_from("ab€[]é"), min_size=140, max_size=480)
_UCS_ONLY = st.text(st.sampled_from("aọ😀"), min_size=60, max_size=220)


@given(st.text(_NEAR_EDGES, max_size=400) | _GSM_ONLY | _UCS_ONLY)
def test_segments_agree_with_the_oracle(text: str) -> None:
    """Counting by arithmetic and cutting piece by piece come to the same, for every text."""
    size = size_of(text)
    assert (size.encoding, size.units, size.segments) == oracle(text)


@given(_GSM_ONLY | _UCS_ONLY)
def test_what_is_left_is_what_fits(text: str) -> None:
    """As many characters as are left fit into the same segments, and one more does not."""
    size = size_of(text)
    fill = "a" * size.left
    assert size_of(text + fill).segments == size.segments
    assert size_of(text + fill + "a").segments == size.segments + 1
