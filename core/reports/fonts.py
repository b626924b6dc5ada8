"""The typefaces of cards, cut once to the letters schools need, so that nothing need be installed on the machine.

Noto Sans and Noto Serif (SIL Open Font License) come through packages, as variable fonts of 2 MB each. The browser is
given two weights of both as files when it starts, and documents name them: carried by each document, they would be
nine tenths of it, and would be read and checked anew each time.
"""

import hashlib
import io
import os
import tempfile
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.ttLib.scaleUpem import scale_upem
from fontTools.varLib.instancer import instantiateVariableFont

from core.reports.faces import STYLES, Face

_PACKAGES: dict[Face, tuple[str, str]] = {
    "sans": ("fontpkg_noto_sans", "files/NotoSans[wdth,wght].ttf"),
    "serif": ("fontpkg_noto_serif", "files/NotoSerif[wdth,wght].ttf"),
}
_FEATURES = ("ccmp", "locl", "mark", "mkmk", "kern", "tnum", "lnum")
"""``mark`` and ``mkmk`` set tone marks over dotted letters; ``tnum`` keeps columns of figures straight."""
_UNITS = 2048
"""Units of the em. Widths in thousandths, as Noto has them, are no exact binary fractions: Chromium's PDF writer then
places every letter by itself instead of writing words, which makes pages four times as long."""
_MULTIPLE = 2
"""OpenType's number for substitutions of one glyph by several."""
LETTERS = (
    *range(0x20, 0x7F),
    *range(0xA0, 0x250),  # Latin-1, Latin Extended A and B: ƙ, ƴ, ǹ
    *(0x253, 0x257, 0x2BC, 0x2BE, 0x2BF),  # ɓ, ɗ and the apostrophes of Hausa and Arabic names
    *range(0x300, 0x332),  # combining marks, among them tones, dots below and the line below
    *range(0x1E00, 0x1F00),  # Latin Extended Additional: ẹ, ị, ọ, ụ, ṣ, ṅ
    *range(0x2010, 0x2028),  # dashes, quotation marks, dots
    *(0x2032, 0x2033, 0x20A6, 0x2116, 0x2212),  # primes, naira, number, minus
)
"""What can stand in a name, a remark or a figure of a school in West Africa; 'any other letter prints as a box."""


class Fonts:
    """Typefaces as files, made once a process, and once a machine where a folder is given."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep cut fonts in a folder, which any number of processes may share."""
        self._folder = folder
        self.files = cache(self._files)

    def _files(self) -> dict[str, bytes]:
        """Return every weight of every face by a file's name, as TrueType cut to ``LETTERS``."""
        return {f"{face}-{weight}.ttf": self._file(face, weight) for face in _PACKAGES for weight in STYLES}

    def _file(self, face: Face, weight: int) -> bytes:
        if self._folder is None:
            return cut(face, weight)
        place = self._folder / f"{face}-{weight}-{_edition(face)}.ttf"
        if not place.exists():
            _write_whole(place, cut(face, weight))
        return place.read_bytes()


def whole(face: Face) -> bytes:
    """Return a face as its package holds it, with all letters and weights."""
    package, name = _PACKAGES[face]
    return files(package).joinpath(name).read_bytes()


def cut(face: Face, weight: int) -> bytes:
    """Return one weight of a face with ``LETTERS`` alone, as TrueType."""
    font = TTFont(io.BytesIO(_with_letters(face)), recalcTimestamp=False)
    still = instantiateVariableFont(font, {"wght": weight, "wdth": 100}, inplace=True, updateFontNames=True)
    scale_upem(still, _UNITS)
    return _saved(still)


@cache
def _with_letters(face: Face) -> bytes:
    """Return a face with ``LETTERS`` alone and all its weights."""
    font = TTFont(io.BytesIO(whole(face)), recalcTimestamp=False)
    _keep_letters_whole(font)
    options = Options(layout_features=list(_FEATURES), hinting=False, notdef_outline=True, drop_tables=["DSIG", "MVAR"])
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=LETTERS)
    subsetter.subset(font)
    return _saved(font)


def _keep_letters_whole(font: TTFont) -> None:
    """Let a dotted letter be one glyph, which readers copy and search rightly.

    Noto Sans takes five of them apart (ẹ into e and a dot), although tones find their place on the whole letter too;
    PDFium gives such names back with letters doubled.
    """
    table = font["GSUB"].table
    for record in table.FeatureList.FeatureRecord:
        if record.FeatureTag == "ccmp":
            feature = record.Feature
            lookups = [at for at in feature.LookupListIndex if not _takes_apart(table.LookupList.Lookup[at])]
            feature.LookupListIndex, feature.LookupCount = lookups, len(lookups)


def _takes_apart(lookup: Any) -> bool:
    return bool(getattr(lookup.SubTable[0], "ExtensionLookupType", lookup.LookupType) == _MULTIPLE)


def _saved(font: TTFont) -> bytes:
    target = io.BytesIO()
    font.save(target)
    return target.getvalue()


def _edition(face: Face) -> str:
    """Return what tells a cut font from one that another release would make."""
    made_of = (version(_PACKAGES[face][0]), version("fonttools"), _FEATURES, LETTERS, _MULTIPLE, _UNITS, STYLES)
    return hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]


def _write_whole(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=place.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(draft).replace(place)
