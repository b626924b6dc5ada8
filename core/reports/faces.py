"""The typefaces that documents name, and that every printer's browser has. Pure."""

from typing import Literal

Face = Literal["sans", "serif"]
FAMILIES: dict[Face, str] = {"sans": "Noto Sans", "serif": "Noto Serif"}
STYLES = {400: "Regular", 700: "Bold"}
"""Weights, and what a font's full name has for each."""


def css(face: Face) -> str:
    """Return the rules that give a document the face by the name ``Card``; the browser finds it by its full name."""
    return "".join(
        f'@font-face{{font-family:Card;font-weight:{weight};src:local("{FAMILIES[face]} {style}")}}'
        for weight, style in STYLES.items()
    )
