"""Printing report cards: ``python -m tests.benchmarks.report_printing [--cards 200] [--json]``.

Measured is what printing alone takes, layout and parting included: documents of 25 cards on two browsers at once,
against the plain loop of one document per card on one page of one browser, in the same run. The plain loop uses the
same browser, locked down alike, with the same cut font, which each of its documents carries and which are laid out for
the screen first, as pages are; beside it stands the loop over documents as they are made here. All begin warm.
"""

import argparse
import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import psutil

from cluster.checks import find_browser
from core.adapters.chromium import ChromiumRenderer, Limits
from core.reports.batch_records import CARDS_A_DOCUMENT
from core.reports.card import Card, CardStyle
from core.reports.checking import check_card
from core.reports.faces import STYLES, css
from core.reports.fonts import Fonts
from core.reports.layout import render_cards
from core.reports.splitting import split
from tests.benchmarks.reporting.weasyprint_peer import Peer, weasyprint
from tests.factories.printing import NoImages
from tests.factories.reports import cards

_BROWSERS = 2
_SEED = 11
_DEADLINE_S = 120.0
_NEVER = Limits(documents=1_000_000, memory_bytes=1 << 40)
"""Nothing is replaced within the run: the processor time of an ended browser could not be read."""
_VERIFY = "https://school.example/verify"
_WEASYPRINTED = 20
_PAPER_ALONE = "@media screen { body { display: none; } }"
Dressed = Callable[[str], str]
"""What is done to a document before it is printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What it took. CPU is that of browsers, their drivers and this process together."""

    cards: int
    pages: int
    chunked_s: float
    plain_s: float
    wall_ratio: float
    chunked_cpu_ms_per_card: float
    plain_cpu_ms_per_card: float
    cpu_ratio: float
    single_cpu_ms_per_card: float
    """One document a card, as they are made here."""
    checking_ms_per_card: float
    wrong: int
    weasyprint: Peer
    load: float
    """The machine's load average before the run."""


async def measure(count: int) -> Figures:
    """Print the same cards both ways."""
    made, load = cards(count, _SEED), os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        fonts = Fonts(Path(folder) / "fonts")
        async with _browsers(_BROWSERS, fonts, Path(folder)) as renderers:
            chunked_s, chunked_cpu_s, printed = await _timed(_chunked, renderers, made, str)
        plain_s, plain_cpu_s = await plain_loop(made, fonts)
        _, single_cpu_s = await plain_loop(made, fonts, as_made=True)
        peer = await weasyprint(made[:_WEASYPRINTED], fonts, Path(folder))
    began = process_time()
    wrong = sum(not _is_right(printed[card.serial], card) for card in made)
    checking_s = process_time() - began
    return Figures(
        cards=count,
        pages=sum(_pages(pdf) for pdf in printed.values()),
        chunked_s=round(chunked_s, 2),
        plain_s=round(plain_s, 2),
        wall_ratio=round(chunked_s / plain_s, 3),
        chunked_cpu_ms_per_card=round(1000 * chunked_cpu_s / count, 1),
        plain_cpu_ms_per_card=round(1000 * plain_cpu_s / count, 1),
        cpu_ratio=round(chunked_cpu_s / plain_cpu_s, 3),
        single_cpu_ms_per_card=round(1000 * single_cpu_s / count, 1),
        checking_ms_per_card=round(1000 * checking_s / count, 1),
        wrong=wrong,
        weasyprint=peer,
        load=load,
    )


async def plain_loop(made: list[Card], fonts: Fonts, *, as_made: bool = False) -> tuple[float, float]:
    """Return the seconds and the processor seconds of printing cards one by one on one page.

    The documents carry their font, and are laid out for a screen too, unless they are taken as they are made here.
    """
    dressed = str if as_made else partial(_self_contained, carried=_carried(fonts))
    with TemporaryDirectory() as folder:
        async with _browsers(1, fonts, Path(folder)) as renderers:
            wall_s, cpu_s, _ = await _timed(_plain, renderers, made, dressed)
    return wall_s, cpu_s


def _carried(fonts: Fonts) -> str:
    """Return rules that give a document its typeface by itself."""
    files = fonts.files()
    return "".join(
        f"@font-face{{font-family:Card;font-weight:{weight};src:url(data:font/ttf;base64,"
        f"{base64.b64encode(files[f'sans-{weight}.ttf']).decode()})}}"
        for weight in STYLES
    )


def _self_contained(html: str, carried: str) -> str:
    assert css("sans") in html
    assert _PAPER_ALONE in html
    return html.replace(css("sans"), carried).replace(_PAPER_ALONE, "")


@asynccontextmanager
async def _browsers(count: int, fonts: Fonts, folder: Path) -> AsyncIterator[list[ChromiumRenderer]]:
    """Start browsers and let each print once, so that both ways begin warm."""
    program = find_browser()
    if program is None:
        raise SystemExit("there is no Chromium: run `make setup`")
    renderers = [ChromiumRenderer(program, fonts=fonts, folder=folder, limits=_NEVER) for _ in range(count)]
    try:
        for renderer in renderers:
            await _one(renderer, cards(2, 1))
        yield renderers
    finally:
        for renderer in renderers:
            await renderer.close()


async def _timed(way: Any, renderers: list[ChromiumRenderer], made: list[Card], dressed: Dressed) -> tuple[Any, ...]:
    cpu, began = _cpu_s(), perf_counter()
    printed = await way(renderers, made, dressed)
    return perf_counter() - began, _cpu_s() - cpu, printed


async def _chunked(renderers: list[ChromiumRenderer], made: list[Card], dressed: Dressed) -> dict[str, bytes]:
    waiting = iter([made[at : at + CARDS_A_DOCUMENT] for at in range(0, len(made), CARDS_A_DOCUMENT)])
    printed: dict[str, bytes] = {}

    async def work(renderer: ChromiumRenderer) -> None:
        for chunk in waiting:
            printed.update(await _one(renderer, chunk, dressed))

    await asyncio.gather(*(work(renderer) for renderer in renderers))
    return printed


async def _plain(renderers: list[ChromiumRenderer], made: list[Card], dressed: Dressed) -> dict[str, bytes]:
    printed: dict[str, bytes] = {}
    for card in made:
        printed |= await _one(renderers[0], [card], dressed)
    return printed


async def _one(renderer: ChromiumRenderer, chunk: Sequence[Card], dressed: Dressed = str) -> dict[str, bytes]:
    html = await render_cards(chunk, CardStyle(), NoImages(), verify_url=_VERIFY)
    pdf = await renderer.render(dressed(html), deadline_s=_DEADLINE_S)
    return await asyncio.to_thread(split, pdf, [card.serial for card in chunk])


def _is_right(pdf: bytes, card: Card) -> bool:
    try:
        check_card(pdf, card)
    except Exception as error:  # noqa: BLE001 - each is counted, and told
        print(error)
        return False
    return True


def _pages(pdf: bytes) -> int:
    import pypdfium2

    with pypdfium2.PdfDocument(pdf) as document:
        return len(document)


def _cpu_s() -> float:
    """Return the processor time of this process and all below it that still live."""
    here = psutil.Process()
    times = [each.cpu_times() for each in (here, *here.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = asdict(asyncio.run(measure(asked.cards)))
    if asked.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:>28}  {value}")


if __name__ == "__main__":
    main()
