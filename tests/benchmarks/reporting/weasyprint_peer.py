"""WeasyPrint as a peer, where it is installed: ``python -m tests.benchmarks.reporting.weasyprint_peer FILE``.

It prints in a process of its own, with the same typefaces and a bound on its processor time: it lays the boxes of a
card, grids within flexible boxes, out again and again, and comes to no end. So its figure is of the same cards with
these boxes turned into plain blocks, which is less work than a card is.
"""

import asyncio
import os
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import process_time

from core.reports.card import Card, CardStyle
from core.reports.fonts import Fonts
from core.reports.layout import render_cards
from tests.factories.printing import NoImages

_VERIFY = "https://school.example/verify"
_AS_IT_IS_S, _IN_BLOCKS_S = 20, 120
"""Processor seconds that one card, and all of them, may take."""
_FONTS = '<?xml version="1.0"?><fontconfig><dir>{0}</dir><cachedir>{0}/cache</cachedir></fontconfig>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What WeasyPrint takes."""

    same_html: str
    """What came of one card as it is."""
    cpu_ms_per_card: float | None = None
    """Of cards whose boxes are plain blocks; None where it is not installed, or did not come to an end."""


async def weasyprint(cards: Sequence[Card], fonts: Fonts, folder: Path) -> Peer:
    """Print cards by WeasyPrint."""
    if find_spec("weasyprint") is None:
        return Peer(same_html="not installed")
    one = await render_cards(cards[:1], CardStyle(), NoImages(), verify_url=_VERIFY)
    several = await render_cards(cards, CardStyle(), NoImages(), verify_url=_VERIFY)
    blocks = several.replace("display: flex", "display: block").replace("display: grid", "display: block")
    environment = {**os.environ, "FONTCONFIG_FILE": str(_installed(fonts, folder))}
    alone_s = await _printed(one, folder / "one.html", _AS_IT_IS_S, environment)
    blocks_s = await _printed(blocks, folder / "blocks.html", _IN_BLOCKS_S, environment)
    return Peer(
        same_html=f"no card within {_AS_IT_IS_S} s of processor time" if alone_s is None else f"{alone_s:.2f} s a card",
        cpu_ms_per_card=None if blocks_s is None else round(1000 * blocks_s / len(cards), 1),
    )


def _installed(fonts: Fonts, folder: Path) -> Path:
    for name, content in fonts.files().items():
        (folder / name).write_bytes(content)
    configuration = folder / "fonts.conf"
    configuration.write_text(_FONTS.format(folder))
    return configuration


async def _printed(html: str, place: Path, most_s: int, environment: dict[str, str]) -> float | None:
    """Return the processor seconds of a document; None where it was given up."""
    await asyncio.to_thread(place.write_text, html)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.reporting.weasyprint_peer", str(place), str(most_s)),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    said, _ = await process.communicate()
    return float(said) if process.returncode == 0 else None


def _print(place: Path, most_s: int) -> float:
    from weasyprint import HTML  # type: ignore[import-not-found,unused-ignore]  # a peer, not a dependency

    resource.setrlimit(resource.RLIMIT_CPU, (most_s, most_s))
    began = process_time()
    HTML(string=place.read_text()).write_pdf()
    return process_time() - began


if __name__ == "__main__":
    print(_print(Path(sys.argv[1]), int(sys.argv[2])))
