"""A text made fit for the 7-bit alphabet: what is replaced, what is kept, and that nothing is lost silently."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.notifications.sms.cleaning import cleaned, explained, keeps_letters
from core.notifications.sms.segments import Encoding, in_gsm_7, size_of
from core.school.policies import SmsLetters

FEE = (
    "Kings College Lagos: School fees of {sign}45,000 for Tola, JSS 2 Ruby, First Term 2027/2028, are due on"
    " 10/01/2028. Please ignore this if you have paid already."
)


def test_a_naira_sign_makes_one_segment_three() -> None:
    """The same text is one segment with NGN and three with the sign; the sign is replaced before it is sent."""
    dear, cheap = FEE.format(sign="₦"), FEE.format(sign="NGN ")
    assert 156 <= len(cheap) <= 160
    assert (size_of(dear).encoding, size_of(dear).segments) == (Encoding.UCS_2, 3)
    assert (size_of(cheap).encoding, size_of(cheap).segments) == (Encoding.GSM_7, 1)
    assert cleaned(dear, keep_letters=False) == cleaned(dear, keep_letters=True) == cheap


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("₦500", "NGN 500"),
        ("₦ 500", "NGN 500"),
        ("₦\u00a0500", "NGN 500"),
        ("paid in ₦.", "paid in NGN."),
        ("₦\nnext", "NGN\nnext"),
        ("“It’s ‘fine’”", "\"It's 'fine'\""),
        ("1–2 — 3 − 4", "1-2 - 3 - 4"),
        ("wait…", "wait..."),
        ("JSS\u00a02\u2009Ruby", "JSS 2 Ruby"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("e\u0301 is one letter", "é is one letter"),
        ("Adé àèéìòù", "Adé àèéìòù"),  # in the alphabet: nothing to gain
    ],
)
def test_signs_become_plain(written: str, sent: str) -> None:
    """A sign with a plain equal is replaced by it, whether letters are kept or not."""
    assert cleaned(written, keep_letters=True) == cleaned(written, keep_letters=False) == sent


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("Tọ́lá", "Tola"),
        ("Olúwáṣeun Ẹ̀kọ́", "Oluwaseun Eko"),
        ("Chịdịebere Ụ̀zọ̀ma ṅ", "Chidiebere Uzoma n"),
        ("Ƙasim Ɗanjuma ɓera ƴaƴa", "Kasim Danjuma bera yaya"),
        ("ʼyaʼya", "'ya'ya"),
        ("Ẹ káàárọ̀ o, Adé", "E kaaaro o, Adé"),  # a word gives up all its marks or none
    ],
)
def test_letters_lose_their_marks_or_keep_them(written: str, sent: str) -> None:
    """Yoruba, Igbo and Hausa letters become plain ones, or stay exactly as they are."""
    assert cleaned(written, keep_letters=False) == sent
    kept = unicodedata.normalize("NFC", written)
    assert cleaned(written, keep_letters=True) == (sent if in_gsm_7(sent) and "ʼ" in written else kept)


def test_letters_that_keep_the_dear_encoding_are_all_kept() -> None:
    """Where a character without an equal stays anyway, no mark is given up for nothing."""
    assert cleaned("Tọ́lá … 🎉", keep_letters=False) == "Tọ́lá … 🎉"


@pytest.mark.parametrize(
    ("letters", "language", "kept"),
    [
        (SmsLetters.BY_LANGUAGE, "en", False),
        (SmsLetters.BY_LANGUAGE, "pcm", False),
        (SmsLetters.BY_LANGUAGE, "yo", True),
        (SmsLetters.BY_LANGUAGE, "ig", True),
        (SmsLetters.BY_LANGUAGE, "ha", True),
        (SmsLetters.KEEP, "en", True),
        (SmsLetters.PLAIN, "yo", False),
    ],
)
def test_whose_letters_are_kept(letters: SmsLetters, language: str, *, kept: bool) -> None:
    """By default readers of Yoruba, Igbo and Hausa get their letters; a school may decide for all."""
    assert keeps_letters(letters, language) is kept


def test_the_preview_tells_what_changed_and_what_costs() -> None:
    """What was replaced is told sign by sign; so is what stays and makes the text dear."""
    plain = explained("₦500 – Tọ́lá", keep_letters=False)
    assert dict(plain.replaced) == {"₦": "NGN", "–": "-", "ọ́": "o", "á": "a"}
    assert plain.costly == ()
    dear = explained("₦500 🎉 Tọ́lá", keep_letters=False)
    assert (dear.text, dict(dear.replaced), dear.costly) == ("₦500 🎉 Tọ́lá", {}, ("🎉",))
    kept = explained("Tọ́lá", keep_letters=True)
    assert (kept.text, kept.costly) == ("Tọ́lá", ("ọ́", "á"))


TEXTS = st.text(
    st.sampled_from("ab₦–… “’ọṣ\u0301é😀中5\n`\u00a0") | st.characters(exclude_categories=["Cs"]), max_size=200
)


@given(TEXTS, st.booleans())
def test_cleaning_is_cheaper_or_nothing(text: str, keep_letters: bool) -> None:
    """A cleaned text is in the cheap alphabet or is what was written, is never dearer, and is clean."""
    sent = cleaned(text, keep_letters=keep_letters)
    assert in_gsm_7(sent) or sent == unicodedata.normalize("NFC", text)
    assert size_of(sent).segments <= size_of(text).segments
    assert cleaned(sent, keep_letters=keep_letters) == sent


@given(TEXTS, st.booleans())
def test_no_letter_or_digit_gets_lost(text: str, keep_letters: bool) -> None:
    """Every letter and digit of the original is in what is sent, at most without its marks."""
    sent = cleaned(text, keep_letters=keep_letters)
    missing = [
        char
        for char in unicodedata.normalize("NFC", text)
        if char.isalnum() and char not in sent and unicodedata.normalize("NFD", char)[0] not in sent
        and char not in "ɓɗƙƴƁƊƘƳʼʻʹ"
    ]  # fmt: skip
    assert missing == []
