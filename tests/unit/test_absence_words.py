"""The words of the absence page: the same in number and values in every language."""

import tomllib
from pathlib import Path

import pytest
from jinja2 import nodes
from jinja2.exceptions import UndefinedError
from jinja2.meta import find_undeclared_variables

import core.notifications
from core.notifications.absence_words import language_or_none, own_names, words_in
from core.notifications.rendering import sandbox
from core.school.model import Language

FOLDER = Path(core.notifications.__file__).parent / "templates"
EVIL = "<b>Tọ́lá</b>\u202e\n& co"


def lines(language: Language) -> dict[str, str]:
    """Return a language's lines as they are written."""
    return tomllib.loads((FOLDER / language / "absence_page.toml").read_text(encoding="utf-8"))


def values_of(text: str) -> set[str]:
    """Return which values a line takes."""
    tree: nodes.Template = sandbox().parse(text)
    return find_undeclared_variables(tree)


@pytest.mark.parametrize("language", list(Language))
def test_every_language_says_everything_with_the_same_values(language: Language) -> None:
    """No line is missing, added, empty, or lacks a value that the English one has."""
    english, own = lines(Language.EN), lines(language)
    assert own.keys() == english.keys()
    assert all(text.strip() for text in own.values())
    assert {name: values_of(text) for name, text in own.items()} == {
        name: values_of(text) for name, text in english.items()
    }


def test_a_line_without_a_translation_is_said_in_english(tmp_path: Path) -> None:
    """A language's file may lack lines, or be missing."""
    for language, text in (("en", 'why = "Why?"\nsend = "Send"\n'), ("yo", 'why = "Kí ló fà á?"\n')):
        (tmp_path / language).mkdir()
        (tmp_path / language / "absence_page.toml").write_text(text, encoding="utf-8")
    assert [words_in(Language.YO, tmp_path).say(name) for name in ("why", "send")] == ["Kí ló fà á?", "Send"]
    assert words_in(Language.HA, tmp_path).say("why") == "Why?"


def test_a_value_is_one_line_of_text_and_a_missing_one_an_error() -> None:
    """A name can't forge a line or turn the text around; nothing is left empty in silence."""
    said = words_in(Language.YO).say("thanks", student=EVIL, date="20/09/2027")
    assert "<b>Tọ́lá</b> & co" in said
    with pytest.raises(UndefinedError):
        words_in(Language.YO).say("thanks", student="Tọ́lá")


def test_languages_are_known_by_their_codes_and_call_themselves_by_name() -> None:
    """A region behind the code does not matter; what is not ours is none."""
    assert [language_or_none(code) for code in ("yo", "YO-ng", "fr", "", None)] == [
        Language.YO, Language.YO, None, None, None,
    ]  # fmt: skip
    assert own_names()[Language.YO] == "Yorùbá"
    assert len(set(own_names().values())) == len(Language)
