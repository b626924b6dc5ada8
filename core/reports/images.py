"""Pictures of a school's own: checked, bounded, made no larger than print needs, and written anew."""

import base64
import io
import warnings
from collections.abc import Iterable, Mapping

from PIL import Image, UnidentifiedImageError

from core.errors import Fault, InvalidInput, SchoolOSError
from core.reports.ports import ImageSource
from core.telemetry import get_logger

log = get_logger("reports")

MAX_BYTES = 4 * 1024 * 1024
MAX_PIXELS = 20_000_000
"""A photograph of a good telephone; Pillow would take four bytes for each."""
_EDGE = 480
"""Pixels of the longer edge in print: 1.2 in at 400 dots an inch."""
_TYPES = ("PNG", "JPEG")


def data_uri(content: bytes) -> str:
    """Return a picture as a ``data:`` address, drawn anew so that nothing but its pixels is left.

    Raises:
        InvalidInput: it is no PNG or JPEG, or larger than ``MAX_BYTES`` or ``MAX_PIXELS``.
    """
    picture = _opened(content)
    target = io.BytesIO()
    if picture.mode in {"RGB", "L"}:
        picture.save(target, "JPEG", quality=88)
        kind = "jpeg"
    else:
        picture.save(target, "PNG")
        kind = "png"
    return f"data:image/{kind};base64,{base64.b64encode(target.getvalue()).decode()}"


async def load_all(images: ImageSource, keys: Iterable[str | None]) -> Mapping[str, str]:
    """Return the pictures that can be used as ``data:`` addresses, by key.

    A card is worth more than its pictures: one that is gone or unusable is left out and told in the log.
    """
    found: dict[str, str] = {}
    for key in dict.fromkeys(key for key in keys if key):
        try:
            found[key] = data_uri(await images.load(key))
        except InvalidInput as error:
            log.warning("picture_unusable", key=key, why=error.message)
        except SchoolOSError as error:
            log.warning("picture_not_there", key=key, why=type(error).__name__)
    return found


def _opened(content: bytes) -> Image.Image:
    if len(content) > MAX_BYTES:
        raise _unusable(f"the picture has {len(content):,} bytes; {MAX_BYTES:,} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture: Image.Image = Image.open(io.BytesIO(content), formats=_TYPES)
            if picture.width * picture.height > MAX_PIXELS:
                raise _unusable(f"the picture has {picture.width} x {picture.height} pixels; too many to print")
            picture.load()
            picture.thumbnail((_EDGE, _EDGE))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombWarning) as error:
        raise _unusable("the picture is not a whole PNG or JPEG") from error
    return _in_plain_mode(picture)


def _in_plain_mode(picture: Image.Image) -> Image.Image:
    if picture.mode in {"RGB", "L", "RGBA"}:
        return picture
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _unusable(what: str) -> InvalidInput:
    return InvalidInput(what, [Fault("/image", what, "image")])
