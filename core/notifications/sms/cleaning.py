"""A text made fit for the 7-bit alphabet where nothing is lost by it: one stray sign makes an SMS of one segment three.

Signs that have a plain equal are replaced: the naira sign by NGN, typographic quotes, dashes and spaces by
those of a keyboard. Letters with marks (ọ, ṣ, ị, ɗ) carry meaning in Yoruba, Igbo and Hausa, so whether they give
their marks up is the school's decision. What has no equal (emoji, another script) always stays, whatever it costs.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from core.notifications.sms.segments import in_gsm_7
from core.school.policies import SmsLetters

_PLAIN: Mapping[str, str] = {
    **dict.fromkeys("‘’‚‛′ʼʻʹ`´‹›", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−•", "-"),
    **dict.fromkeys("\t\u00a0\u1680\u202f\u205f", " "),
    **dict.fromkeys(map(chr, range(0x2000, 0x200B)), " "),  # the spaces of typesetters
    **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),  # soft hyphen and others that show nothing
    **dict.fromkeys("\u2028\u2029", "\n"),
    "…": "...",
    "×": "x",
    "№": "No.",
    "™": "(TM)",
    "©": "(c)",
    "®": "(R)",
}
"""Signs and what says the same. Not among them: joiners that letters and emoji need (U+200C, U+200D)."""
_NAIRA = "₦"
_WORDS = re.compile(r"\S+|\s+")
_HOOKED: Mapping[str, str] = {"ɓ": "b", "ɗ": "d", "ƙ": "k", "ƴ": "y", "Ɓ": "B", "Ɗ": "D", "Ƙ": "K", "Ƴ": "Y"}
"""Hausa's letters, which Unicode does not take apart."""
_MARKED = frozenset({"yo", "ig", "ha"})
"""Languages whose letters tell words apart: Yoruba ọkọ́ is a hoe, ọkọ̀ a vehicle, ọkọ a husband."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text as it is sent, and what became of it."""

    text: str
    replaced: Mapping[str, str]
    """Characters of the original that are no longer there, each with what stands for it."""
    costly: tuple[str, ...]
    """Characters that stay and keep the text out of the 7-bit alphabet."""


def keeps_letters(letters: SmsLetters, language: str) -> bool:
    """Tell whether a message to a reader of a language keeps its marked letters."""
    if letters is SmsLetters.BY_LANGUAGE:
        return language in _MARKED
    return letters is SmsLetters.KEEP


def cleaned(text: str, *, keep_letters: bool) -> str:
    """Return a text as it is sent: plain where that makes it fit for the 7-bit alphabet, else as it was written."""
    if in_gsm_7(text):
        return text
    written = unicodedata.normalize("NFC", text)
    plain = "".join([_plain_word(word, keep_letters) for word in _WORDS.findall(written)])
    # With a character that has no equal the dear encoding is paid for anyway, and all of it may be used.
    return plain if in_gsm_7(plain) else written


def explained(text: str, *, keep_letters: bool) -> Cleaned:
    """Return a text as it is sent, with what was replaced and what stays at a price."""
    written = unicodedata.normalize("NFC", text)
    steps = [step for word in _WORDS.findall(written) for step in _steps(word, keep_letters=keep_letters)]
    costly = dict.fromkeys(was for was, now in steps if not in_gsm_7(now))
    replaced = {} if costly else {was: now.strip() or now for was, now in steps if was != now}
    return Cleaned(written if costly else "".join(now for _, now in steps), replaced, tuple(costly))


@lru_cache(maxsize=8192)  # a message's words are the template's, and thousands have the same
def _plain_word(word: str, keep_letters: bool) -> str:  # positional: the cache's key is smaller so
    return "".join(now for _, now in _steps(word, keep_letters=keep_letters))


def _steps(word: str, *, keep_letters: bool) -> Iterator[tuple[str, str]]:
    """Return the letters of a word, each with what stands for it."""
    clusters = [word] if in_gsm_7(word) else _clusters(word)
    plain = [_sign(cluster, following) for cluster, following in pairwise([*clusters, ""])]
    if not keep_letters and not all(map(in_gsm_7, plain)):
        # All the marks of a word or none: à is in the alphabet and á is not, but half the tones spell another word.
        plain = [_unmarked(cluster) for cluster in plain]
    return zip(clusters, plain, strict=True)


def _sign(cluster: str, following: str) -> str:
    if cluster == _NAIRA:
        return "NGN " if following[:1].isalnum() else "NGN"
    return _PLAIN.get(cluster, cluster)


def _clusters(text: str) -> list[str]:
    """Return the letters of a text, each with the marks that stand on it."""
    clusters: list[str] = []
    for char in text:
        if clusters and unicodedata.combining(char):
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def _unmarked(cluster: str) -> str:
    """Return a Latin letter without its marks; anything else as it is."""
    base = unicodedata.normalize("NFD", cluster[:1])[:1]
    base = _HOOKED.get(base, base)
    return base if base.isascii() and base.isalpha() and len(_clusters(cluster)) == 1 else cluster
