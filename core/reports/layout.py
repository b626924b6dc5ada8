"""From a card's data to the HTML of its pages. The document refers to nothing outside itself."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from core.reports import wording
from core.reports.broadsheet import Broadsheet
from core.reports.card import Card, CardStyle
from core.reports.charts import Point, labels_of, trend
from core.reports.faces import css
from core.reports.images import load_all
from core.reports.ports import ImageSource
from core.reports.splitting import destination
from core.school.grading import whole

_FOLDER = Path(__file__).parent / "templates"
_POLICY = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
"""Content security policy of every document: what is not in it can't be loaded, and no script runs."""
_QR_LEVEL = "m"
"""Up to 15 % of the code may be smudged."""
_QR_MASK = 2
"""Readers take any of the eight; weighing them against each other would cost a third of a card's layout."""
_HASH_LETTERS = 12
_REMARK_LETTERS, _REMARK_LETTERS_BESIDE_THE_YEAR = 38, 26
"""How many letters of a teacher's remark stand on a line."""
_LINES_OF_A_PAGE = 28


@dataclass(frozen=True, slots=True)
class Theme:
    """A school's look as the templates take it."""

    style: CardStyle
    fonts: Markup
    ink: str
    """The colour of text on the primary colour: white, or near black where that is light."""


async def render_cards(
    cards: Sequence[Card],
    style: CardStyle,
    images: ImageSource,
    *,
    verify_url: str,
) -> str:
    """Return one HTML document of cards, each on pages of its own under a named destination.

    Args:
        cards: 1 to ``CARDS_A_DOCUMENT`` cards of one school, or one that has no serial yet: a draft.
        style: how the school's cards look.
        images: where logo, photographs and signatures are.
        verify_url: the address of the page that answers for serials, which the serial is put behind; empty: no code.
    """
    keys = [style.logo_key, *(key for card in cards for key in _picture_keys(card, style))]
    pictures = await load_all(images, keys)
    values = {
        "cards": cards,
        "style": style,
        "theme": theme_of(style),
        "pictures": {key: Markup(uri) for key, uri in pictures.items()},  # noqa: S704 - base64 that was encoded here
        "shared": _shared(cards, style),
        "verify_url": verify_url.rstrip("/"),
    }
    # In a thread: 25 cards take a tenth of a second, in which this process would answer nobody.
    return await asyncio.to_thread(_environment().get_template("report-card.html").render, values)


async def render_broadsheet(sheet: Broadsheet, style: CardStyle, images: ImageSource) -> str:
    """Return a class's broadsheet as an HTML document for A4 across; ``landscape`` is to be asked of the printer."""
    key = style.logo_key or sheet.school.logo
    crest = (await load_all(images, [key])).get(key or "", "")
    return (
        _environment()
        .get_template("broadsheet.html")
        .render(
            sheet=sheet,
            style=style,
            theme=theme_of(style),
            crest=Markup(crest),  # noqa: S704 - base64 that was encoded here
            figures=_lines_of_figures(sheet),
        )
    )


def theme_of(style: CardStyle) -> Theme:
    """Return a school's look with its typeface."""
    return Theme(style, Markup(css(style.font)), _ink_on(style.primary))  # noqa: S704 - made of constants


@cache
def _environment() -> Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=wording.printed,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"csp": _POLICY, "qr": qr_code, "trend": _trend_of, "destination": destination}
    environment.globals |= {"mark": wording.mark, "total": wording.total, "meanings": wording.meanings}
    environment.globals |= {name: getattr(wording, name) for name in ("maxima_of", "earlier_terms", "term_score")}
    environment.globals |= {
        "density": _density,
        "runs_on": _runs_on,
        "foot": _foot,
        "name_of": wording.name_of,
        "failing": _is_failing,
    }
    environment.filters |= {
        "cut": wording.clean,
        "figure": wording.figure,
        "tenth": wording.tenth,
        "ordinal": wording.ordinal,
        "long_date": wording.long_date,
        "short_date": wording.short_date,
        "initials": wording.initials,
        "css_text": _css_text,
    }
    return environment


def qr_code(address: str) -> Markup:
    """Return a QR code as SVG, its modules one path."""
    code = segno.make(address, error=_QR_LEVEL, micro=False, boost_error=False, mask=_QR_MASK)
    side = code.symbol_size(border=0)[0]
    path = "".join(_runs(code.matrix_iter(border=0)))
    return Markup(
        '<svg class="qr" viewBox="0 0 {side} {side}" shape-rendering="crispEdges" role="img" '
        'aria-label="Code of the page that checks this card"><path d="{path}"/></svg>'
    ).format(side=side, path=path)


def _runs(rows: Iterable[Iterable[int]]) -> Iterator[str]:
    """Yield a box for each run of dark modules: a third of the path that single modules make."""
    for y, row in enumerate(rows):
        x = 0
        for dark, run in groupby(row):
            length = len(list(run))
            if dark:
                yield f"M{x} {y}h{length}v1h-{length}z"
            x += length


def _picture_keys(card: Card, style: CardStyle) -> list[str | None]:
    photo = card.student.avatar_url if style.show_photo else None
    return [photo, card.school.logo, *(line.image_key for line in card.signatures)]


def _shared(cards: Sequence[Card], style: CardStyle) -> list[str]:
    """Return the keys of pictures that stand once in the style sheet, because many cards show them."""
    keys = [style.logo_key, *(card.school.logo for card in cards)]
    return [key for key in dict.fromkeys(keys) if key]


def _density(card: Card) -> str:
    """Return how tightly a card is set, by the lines its table will take, so that it keeps to a page where it can."""
    lines = _lines(card) + (4 if card.cumulative else 0)
    return "roomy" if lines <= 10 else "normal" if lines <= 15 else "tight"


def _runs_on(card: Card) -> bool:
    """Tell whether the table may go on to another page, so that its head should say whose it is."""
    return _lines(card) > _LINES_OF_A_PAGE


def _lines(card: Card) -> int:
    """Return about how many lines the table's subjects take."""
    letters = _REMARK_LETTERS_BESIDE_THE_YEAR if card.cumulative else _REMARK_LETTERS
    return sum(max(1, -(-len(line.teacher_remark) // letters)) for line in card.subjects)


def _lines_of_figures(sheet: Broadsheet) -> list[tuple[str, list[str]]]:
    return [
        ("Class average", [wording.tenth(each.average) for each in sheet.figures]),
        ("Highest", [wording.figure(each.highest) for each in sheet.figures]),
        ("Lowest", [wording.figure(each.lowest) for each in sheet.figures]),
        ("Passed, of those who sat", [f"{each.passed}/{each.sat}" for each in sheet.figures]),
    ]


def _trend_of(card: Card) -> Markup:
    return trend([Point(each.average, *labels_of(each.term)) for each in card.trend])


def _is_failing(graded: Card | Broadsheet, score: Decimal | None) -> bool:
    return graded.policy is not None and score is not None and whole(score) < graded.policy.pass_mark


def _foot(card: Card) -> tuple[str, str]:
    """Return what stands below every page of a card: whose it is, and what it was made by."""
    if not card.serial:
        return f"{wording.name_of(card)[:60]} · Draft, not finalised", ""
    policy = f"{wording.clean(card.policy.name, 40)}, version {card.policy.version} · " if card.policy else ""
    day = f" · {wording.short_date(card.finalised_on)}" if card.finalised_on else ""
    left = f"Serial {card.serial} · {wording.name_of(card)[:60]}"
    return left, f"{policy}data {card.snapshot_hash[:_HASH_LETTERS]}{day} · page "


def _css_text(text: str) -> Markup:
    return Markup(wording.css_text(text))  # noqa: S704 - every character that could end the string is escaped


def _ink_on(colour: str) -> str:
    """Return white, or near black where a colour is too light for it (relative luminance of WCAG 2.2, contrast 4.5)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#ffffff" if 1.05 / (luminance + 0.05) >= 4.5 else "#1b1b1b"
