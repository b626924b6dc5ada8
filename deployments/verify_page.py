"""The pages of the verify address: plain HTML, no script, no image, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from core.reports.verification import Genuine

_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;color:#1c1917;background:#fafaf9}"
    "main{max-width:32rem;margin:auto;padding:1.25rem}h1{font-size:1.4rem}"
    ".genuine{color:#14532d}.replaced{border-left:4px solid #b45309;padding-left:.75rem}"
    "dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem}dt{color:#57534e}dd{margin:0}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_TEMPLATE = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, auto_reload=False
).get_template("verify_page.html")


def genuine_page(card: Genuine) -> HTMLResponse:
    """Return the page of a card that was issued."""
    facts = (
        ("School", card.school),
        ("Student", card.student),
        ("Term", f"{card.term}, {card.session}"),
        ("Issued on", f"{card.issued_on:%d/%m/%Y}"),
        ("Number", card.serial),
        ("Fingerprint", card.fingerprint),
    )
    return _page("This report card is genuine", facts=facts, replaced=card.replaced, line="")


def notice(title: str, line: str, status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return a page that only says something."""
    return _page(title, line=line, status=status, headers=headers)


def _page(
    title: str,
    *,
    line: str,
    facts: tuple[tuple[str, str], ...] = (),
    replaced: bool = False,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    written = _TEMPLATE.render(
        title=title,
        line=line,
        facts=facts,
        replaced=replaced,
        style=Markup(_STYLE),  # noqa: S704 - a constant of this module, whose hash the policy names
    )
    return HTMLResponse(written, status, {**HEADERS, **(headers or {})})
