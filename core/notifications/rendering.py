"""From an event's facts to the words of a message. Templates are data files; see ``templates/README.md``."""

import unicodedata
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.environment import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import Fault, InvalidInput, NotFound
from core.notifications.digest import values_of
from core.notifications.model import Channel, Delivery, Reason, Text
from core.telemetry import get_logger

log = get_logger("notifications")

_FOLDER = Path(__file__).parent / "templates"
_FALLBACK = "en"
_NAIRA = "₦"
_OWN = 500
"""Templates of schools' own that are kept compiled."""


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


def text_of(channel: Channel, written: str) -> Text:
    """Return title and body of a written message: the first line is the title, but of an SMS, which has none."""
    if channel is Channel.SMS:
        return Text("", written.strip())
    title, _, body = written.partition("\n")
    return Text(title.strip(), body.strip())


def sandbox(folder: FileSystemLoader | None = None) -> ImmutableSandboxedEnvironment:
    """Return what templates are run in: no functions, no changes, no name that is not known."""
    environment = ImmutableSandboxedEnvironment(
        loader=folder,
        autoescape=False,  # the messages are plain text; `plain` takes care of each value
        undefined=StrictUndefined,
        finalize=plain,
        auto_reload=False,
        keep_trailing_newline=False,
    )
    # No functions stand in a message: without them a template starts from its values alone, in half the time.
    environment.globals.clear()
    return environment


class Templates:
    """Renders messages in a sandbox; an unknown name in a template is an error, never an empty place."""

    def __init__(self, folder: Path = _FOLDER, beside: Callable[[Delivery], Mapping[str, Any]] = lambda _: {}) -> None:
        """Take what a delivery's own values are beside its content, such as its link."""
        self.beside = beside
        self._folder = FileSystemLoader(folder)
        self._environment = sandbox(self._folder)
        self._find = cache(self._load)
        self._compile = lru_cache(maxsize=_OWN)(self._environment.from_string)

    def message(self, delivery: Delivery) -> Text:
        """Return what a delivery says. Raises ``InvalidInput`` as ``render`` does."""
        content = {**delivery.content, **self.beside(delivery)}
        return self.render(delivery.event_type, delivery.channel, delivery.language, content)

    def render(self, event_type: str, channel: Channel, language: str, content: Mapping[str, Any]) -> Text:
        """Return the message's title and body. Raises ``InvalidInput`` where the template or a value is missing."""
        channel = Channel.PUSH if channel is Channel.DEVICE else channel  # a device shows what the bell says
        try:
            written = self._written(event_type, channel, language, content)
        except (TemplateError, KeyError) as error:
            what = f"no {channel} message can be made of {event_type}: {type(error).__name__}"
            raise InvalidInput(what, [Fault("/content", what, Reason.UNRENDERABLE)]) from error
        return text_of(channel, written)

    def source(self, event_type: str, channel: Channel, language: str) -> tuple[str, str]:
        """Return a template as it is written, and the language it is in: English where there is no translation."""
        for each in (language, _FALLBACK):
            try:
                text, _, _ = self._folder.get_source(self._environment, f"{each}/{event_type}.{channel}.txt")
            except TemplateNotFound:
                continue
            return text.rstrip("\n"), each
        raise NotFound(f"there are no words for {event_type} by {channel}")

    def _written(self, event_type: str, channel: Channel, language: str, content: Mapping[str, Any]) -> str:
        values = values_of(content)
        own = content.get("templates", {}).get(channel)
        if own:
            try:
                return self._compile(own).render(values)
            except TemplateError as error:  # a message in the system's words is better than none
                log.warning("own_template_failed", event_type=event_type, channel=channel, error=type(error).__name__)
        return self._find(event_type, channel, language).render(values)

    def _load(self, event_type: str, channel: Channel, language: str) -> Template:
        name = f"{event_type}.{channel}.txt"
        try:
            return self._environment.get_template(f"{language}/{name}")
        except TemplateNotFound:
            return self._environment.get_template(f"{_FALLBACK}/{name}")
