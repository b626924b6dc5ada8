"""The page behind the absence message's link: plain HTML below 5 kB, no script, no image, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from core.notifications.absence_link_reasons import NOTE_LENGTH, AbsencePage, AbsenceReason

_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;color:#1c1917;background:#fafaf9}"
    "main{max-width:32rem;margin:auto;padding:1.25rem}h1{font-size:1.4rem}"
    "fieldset{border:1px solid #a8a29e;border-radius:.5rem;margin:0 0 1rem;padding:.5rem 1rem}"
    "label{display:block;padding:.6rem 0}input{width:1.2rem;height:1.2rem;vertical-align:middle}"
    "textarea{width:100%;box-sizing:border-box;font:inherit;border:1px solid #78716c;border-radius:.5rem}"
    "button{font:inherit;width:100%;margin-top:1rem;padding:.8rem;border:0;border-radius:.5rem;"
    "background:#14532d;color:#fff}:focus-visible{outline:3px solid #2563eb;outline-offset:2px}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}

_LABELS: Mapping[AbsenceReason, str] = {
    AbsenceReason.SICK: "Sick, or seeing a doctor",
    AbsenceReason.FAMILY: "Family matter",
    AbsenceReason.TRANSPORT: "Transport",
    AbsenceReason.RELIGIOUS: "Religious day",
    AbsenceReason.OTHER: "Something else",
}
_TEMPLATE = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, auto_reload=False
).get_template("absence_page.html")


def asking(page: AbsencePage, complaint: str = "") -> HTMLResponse:
    """Return the form; ``complaint`` says what was wrong with the one that was sent."""
    was = "was late" if page.late else "was not in school"
    lines = [f"{page.given_names} {was} on {page.day:%d/%m/%Y}. Tell the school why."]
    if page.answered:
        lines.append("You have given a reason. A new one replaces it.")
    if complaint:
        lines.append(complaint)
    choices = [(reason.value, _LABELS[reason]) for reason in AbsenceReason]
    return _page("Tell the school", lines, choices=choices, status=422 if complaint else 200)


def thanking(page: AbsencePage) -> HTMLResponse:
    """Return the page after a reason was given."""
    told = f"The school has your reason for {page.given_names} on {page.day:%d/%m/%Y}."
    return _page("Thank you", [told, "Open the link again to change it."])


def notice(title: str, line: str, status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return a page that only says something."""
    return _page(title, [line], status=status, headers=headers)


def _page(
    title: str,
    lines: Sequence[str],
    *,
    choices: Sequence[tuple[str, str]] = (),
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    written = _TEMPLATE.render(
        title=title,
        lines=lines,
        choices=choices,
        note_length=NOTE_LENGTH,
        style=Markup(_STYLE),  # noqa: S704 - a constant of this module, whose hash the policy names
    )
    return HTMLResponse(written, status, {**HEADERS, **(headers or {})})
