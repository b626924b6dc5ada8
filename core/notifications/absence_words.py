"""The words of the page behind an absence message's link: data beside the messages' templates, one file a language."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from core.notifications.rendering import sandbox
from core.school.model import Language

_FOLDER = Path(__file__).parent / "templates"
_FILE = "absence_page.toml"


class PageWords:
    """The page's words in one language; each is a template that is run in the messages' sandbox."""

    def __init__(self, language: Language, words: Mapping[str, str]) -> None:
        self.language = language
        environment = sandbox()
        self._templates = {name: environment.from_string(text) for name, text in words.items()}

    def say(self, name: str, **values: object) -> str:
        """Return one text, with its values filled in as plain text: whoever shows it escapes it."""
        return self._templates[name].render(values)


@cache
def words_in(language: Language, folder: Path = _FOLDER) -> PageWords:
    """Return a language's words; what is not translated is said in English."""
    return PageWords(language, {**_read(Language.EN, folder), **_read(language, folder)})


@cache
def own_names() -> Mapping[Language, str]:
    """Return what each language calls itself."""
    return MappingProxyType({each: words_in(each).say("language") for each in Language})


def language_or_none(code: str | None) -> Language | None:
    """Return the language of a code such as ``yo`` or ``yo-NG``, or None where there are no words in it."""
    primary = (code or "").split("-")[0].strip().lower()
    return Language(primary) if primary in set(Language) else None


def _read(language: Language, folder: Path) -> Mapping[str, str]:
    file = folder / language / _FILE
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
