"""What a digest says, in every language, and what becomes of words that can't be written out."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidInput
from core.notifications import rendering
from core.notifications.digest import values_of
from core.notifications.model import Channel
from core.notifications.rendering import Templates
from core.notifications.sms.segments import size_of
from core.school.model import Channel as SchoolChannel
from core.school.model import Language
from core.school.wording import faults_of

TEMPLATES = Templates()
FOLDER = Path(rendering.__file__).parent / "templates"
TERM = {"class_arm": "JSS 2 Ruby", "term": "First Term"}


def digest(**subjects: int) -> Mapping[str, Any]:
    """Return the content of a message about children with so many subjects each."""
    results = {
        f"{student}:{number}": {**TERM, "student": student, "subject": f"Subject {number:02}", "revision": 1}
        for student, count in subjects.items()
        for number in reversed(range(count))
    }
    first = next(iter(results.values()))
    return {"school": "KCL", **first, "results": results}


def test_cards_of_several_children_are_told_in_one_message() -> None:
    """Whose report cards are ready stands in one sentence, each child once."""
    results = {name: {"student": name, "term": "First Term 2027/2028"} for name in ("Tolu", "Ade")}
    values = {"school": "KCL", "student": "Tolu", "term": "First Term 2027/2028", "results": results}
    body = TEMPLATES.render("reports.published", Channel.SMS, "en", values).body
    assert body.startswith("KCL has published the report card of Ade, Tolu for First Term 2027/2028.")


def test_results_are_told_child_by_child_in_order() -> None:
    """Children and subjects stand in the order of the alphabet, whatever order they came in."""
    values = values_of(digest(Tolu=2, Ade=1))
    assert [(child.student, child.subjects) for child in values["children"]] == [
        ("Ade", ("Subject 00",)),
        ("Tolu", ("Subject 00", "Subject 01")),
    ]
    assert (values["student"], values["count"]) == ("Ade, Tolu", 3)


def test_namesakes_are_two_children() -> None:
    """Two children of one name are told apart by what they are, not by how they are called."""
    results = {f"{student}:1": {**TERM, "student": "Ade", "subject": "Biology"} for student in ("a", "b")}
    assert len(values_of({"school": "KCL", "subject": "Biology", "results": results})["children"]) == 2


@pytest.mark.parametrize("language", list(Language))
def test_a_digest_has_words_in_every_language(language: Language) -> None:
    """Each channel names each child; the SMS counts many subjects and names few."""
    for channel in (Channel.SMS, Channel.EMAIL, Channel.PUSH):
        text = TEMPLATES.render("scores.published", channel, language, digest(Tolu=12, Ade=2))
        assert "Ade" in text.body
        assert "Tolu" in text.body
        assert ("Subject 07" in text.body) is (channel is not Channel.SMS)
        assert "{" not in text.title + text.body
    assert "12" in TEMPLATES.render("scores.published", Channel.SMS, language, digest(Tolu=12)).body


def test_twelve_subjects_are_one_segment() -> None:
    """In English a child's whole report is one SMS segment: 12 would be twelve times the price (C-15)."""
    body = TEMPLATES.render("scores.published", Channel.SMS, "en", digest(Oluwaseun=12)).body
    assert size_of(body).segments == 1


def test_a_child_without_a_name_is_no_message() -> None:
    """A result that lacks its child's name is an error and never a gap."""
    content = {"school": "KCL", "subject": "Biology", "results": {"a:1": {**TERM, "subject": "Biology"}}}
    with pytest.raises(InvalidInput):
        TEMPLATES.render("scores.published", Channel.SMS, "en", content)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("status", ["absent", "late"])
def test_an_absence_shows_the_link_where_there_is_one(language: Language, status: str) -> None:
    """The page for the reason stands in every channel's words, and no hole where there is none."""
    content = {"school": "KCL", "student": "Ade", "class_arm": "JSS 2 Ruby", "date": "13/09/2027", "status": status}
    link = "https://kcl.example/a/x"
    for channel in (Channel.SMS, Channel.EMAIL, Channel.PUSH):
        plain = TEMPLATES.render("attendance.marked", channel, language, content).body
        linked = TEMPLATES.render("attendance.marked", channel, language, {**content, "link": link}).body
        assert link in linked
        assert "http" not in plain
        assert plain == plain.strip()


def test_absent_and_late_are_told_apart_in_every_language() -> None:
    """No language says the same of a child who came late and of one who did not come."""
    content = {"school": "KCL", "student": "Ade", "class_arm": "JSS 2 Ruby", "date": "13/09/2027"}
    for language in Language:
        said = {
            TEMPLATES.render("attendance.marked", Channel.SMS, language, {**content, "status": status}).body
            for status in ("absent", "late")
        }
        assert len(said) == 2


def test_words_of_a_school_that_fail_give_way_to_the_systems() -> None:
    """A template that can't be written out does not keep the message back."""
    content = {**digest(Ade=1), "templates": {"sms": "{{ fee }} of {{ student }}"}}
    assert TEMPLATES.render("scores.published", Channel.SMS, "en", content).body.startswith("KCL: Subject 00 results")
    own = {**content, "templates": {"sms": "Ẹ kú iṣẹ́: {{ student }}"}}
    assert TEMPLATES.render("scores.published", Channel.SMS, "en", own).body == "Ẹ kú iṣẹ́: Ade"
    assert "Ẹ kú" not in TEMPLATES.render("scores.published", Channel.PUSH, "en", own).body


def test_a_template_of_endless_depth_is_a_fault_and_no_crash() -> None:
    """Nesting past what can be read is told as a fault."""
    assert faults_of("scores.published", SchoolChannel.EMAIL, "{{ " + "not " * 900 + "student }}\nx")


def test_every_template_is_written_in_composed_letters() -> None:
    """Letters and their marks are one character where Unicode has one: an SMS is charged by the character."""
    files = sorted(FOLDER.glob("*/*.txt"))
    assert len(files) == 60
    for file in files:
        text = file.read_text("utf-8")
        assert text == unicodedata.normalize("NFC", text), file
