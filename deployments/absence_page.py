"""The page behind the absence message's link: plain HTML below 5 kB, no script, no image, nothing from elsewhere.

It is in the guardian's language; plain links below it lead to the same page in another.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from core.notifications.absence_link_reasons import NOTE_LENGTH, AbsencePage, AbsenceReason
from core.notifications.absence_words import PageWords, own_names

_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;color:#1c1917;background:#fafaf9}"
    "main{max-width:32rem;margin:auto;padding:1.25rem}h1{font-size:1.4rem}"
    "fieldset{border:1px solid #a8a29e;border-radius:.5rem;margin:0 0 1rem;padding:.5rem 1rem}"
    "label{display:block;padding:.6rem 0}input{width:1.2rem;height:1.2rem;vertical-align:middle}"
    "textarea{width:100%;box-sizing:border-box;font:inherit;border:1px solid #78716c;border-radius:.5rem}"
    "button{font:inherit;width:100%;margin-top:1rem;padding:.8rem;border:0;border-radius:.5rem;"
    "background:#14532d;color:#fff}nav{display:flex;flex-wrap:wrap;gap:0 1rem;margin-top:2rem;font-size:1rem}"
    "nav a{color:#1c1917;padding:.6rem 0}nav [aria-current]{font-weight:bold;text-decoration:none}"
    ":focus-visible{outline:3px solid #2563eb;outline-offset:2px}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}

_TEMPLATE = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, auto_reload=False
).get_template("absence_page.html")


def asking(page: AbsencePage, words: PageWords, fault: str | None = None) -> HTMLResponse:
    """Return the form; ``fault`` names the words for what was wrong with the one that was sent."""
    lines = [words.say("ask", student=page.given_names, late=page.late, date=f"{page.day:%d/%m/%Y}")]
    if page.answered:
        lines.append(words.say("answered"))
    if fault:
        lines.append(words.say(fault, length=NOTE_LENGTH))
    return _page(words, "ask_title", lines, reasons=tuple(AbsenceReason), status=422 if fault else 200)


def thanking(page: AbsencePage, words: PageWords) -> HTMLResponse:
    """Return the page after a reason was given."""
    told = words.say("thanks", student=page.given_names, date=f"{page.day:%d/%m/%Y}")
    return _page(words, "thanks_title", [told, words.say("again")])


def notice(words: PageWords, what: str, status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return a page that only says something: the words ``<what>_title`` and ``<what>``."""
    return _page(words, f"{what}_title", [words.say(what)], status=status, headers=headers)


def _page(
    words: PageWords,
    title: str,
    lines: Sequence[str],
    *,
    reasons: Sequence[AbsenceReason] = (),
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    written = _TEMPLATE.render(
        words=words,
        title=words.say(title),
        lines=lines,
        reasons=reasons,
        languages=own_names(),
        note_length=NOTE_LENGTH,
        style=Markup(_STYLE),  # noqa: S704 - a constant of this module, whose hash the policy names
    )
    return HTMLResponse(written, status, {**HEADERS, "Content-Language": words.language, **(headers or {})})
