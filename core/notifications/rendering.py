"""From an event's facts to the words of a message. Templates are data files; see ``templates/README.md``."""

import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.environment import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import Fault, InvalidInput
from core.notifications.model import Channel, Reason, Text

_FOLDER = Path(__file__).parent / "templates"
_FALLBACK = "en"
_NAIRA = "₦"


def plain(value: object) -> str:
    """Return a value as one line of text without control or direction characters: a name can't forge a line."""
    text = str(value).replace(_NAIRA, "NGN ")
    if text.isprintable():
        return text
    kept = (" " if char.isspace() else char for char in text if char.isspace() or not _is_control(char))
    return " ".join("".join(kept).split())


def _is_control(char: str) -> bool:
    # Cc control, Cf format (bidirectional overrides, zero-width), Cs surrogates, Co private use, Zl/Zp separators.
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class Templates:
    """Renders messages in a sandbox; an unknown name in a template is an error, never an empty place."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder),
            autoescape=False,  # the messages are plain text; `plain` takes care of each value
            undefined=StrictUndefined,
            finalize=plain,
            auto_reload=False,
            keep_trailing_newline=False,
        )
        self._find = cache(self._load)

    def render(self, event_type: str, channel: Channel, language: str, content: Mapping[str, Any]) -> Text:
        """Return the message's title and body. Raises ``InvalidInput`` where the template or a value is missing."""
        channel = Channel.PUSH if channel is Channel.DEVICE else channel  # a device shows what the bell says
        try:
            written = self._find(event_type, channel, language).render(content)
        except TemplateError as error:
            what = f"no {channel} message can be made of {event_type}: {type(error).__name__}"
            raise InvalidInput(what, [Fault("/content", what, Reason.UNRENDERABLE)]) from error
        if channel is Channel.SMS:
            return Text("", written.strip())
        title, _, body = written.partition("\n")
        return Text(title.strip(), body.strip())

    def _load(self, event_type: str, channel: Channel, language: str) -> Template:
        name = f"{event_type}.{channel}.txt"
        try:
            return self._environment.get_template(f"{language}/{name}")
        except TemplateNotFound:
            return self._environment.get_template(f"{_FALLBACK}/{name}")
