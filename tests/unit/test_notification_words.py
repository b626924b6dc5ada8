"""The words of messages: templates, what values can't do to them, and what the trail says."""

from datetime import date
from pathlib import Path
from typing import get_args
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.events.types import AnyPayload, AttendanceMarked, FeeReminder
from core.ids import ClassArmId, FeeId, StudentId
from core.notifications.announcement import announcement_of
from core.notifications.explanation import masked, outcome_in_words, why
from core.notifications.model import Channel, Outcome, Reason, State
from core.notifications.preferences import EVENT_TYPES
from core.notifications.rendering import Templates, plain

TEMPLATES = Templates()
VALUES = {
    "school": "Kings College Lagos",
    "student": "Tọ́lá",
    "subject": "Mathematics",
    "class_arm": "JSS 2 Ruby",
    "term": "First Term",
    "date": "06/12/2027",
    "status": "absent",
    "fee": "School fees",
    "amount": "NGN 45,000.00",
    "due_date": "10/01/2028",
}


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("event_type", EVENT_TYPES)
@pytest.mark.parametrize("language", ["en", "yo", "ha", "ig", "pcm"])
def test_every_event_has_words_for_every_channel_and_language(event_type: str, channel: Channel, language: str) -> None:
    """Each event can be told by each channel; a language without words of its own falls back to English."""
    text = TEMPLATES.render(event_type, channel, language, VALUES)
    assert "Tọ́lá" in text.body
    assert bool(text.title) is (channel is not Channel.SMS)
    assert "{{" not in text.title + text.body


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_an_sms_is_one_line(event_type: str) -> None:
    """An SMS has no line break and stays within two segments of 153 letters."""
    body = TEMPLATES.render(event_type, Channel.SMS, "en", VALUES).body
    assert "\n" not in body
    assert len(body) <= 2 * 153


def test_a_language_of_its_own_is_used(tmp_path: Path) -> None:
    """A language with a file of its own is not replaced by English."""
    for language, words in (("en", "Results of {{ student }}"), ("pcm", "{{ student }} result don come out")):
        (tmp_path / language).mkdir()
        (tmp_path / language / "scores.published.sms.txt").write_text(words, "utf-8")
    templates = Templates(tmp_path)
    assert templates.render("scores.published", Channel.SMS, "pcm", VALUES).body == "Tọ́lá result don come out"
    assert templates.render("scores.published", Channel.SMS, "ha", VALUES).body == "Results of Tọ́lá"


def test_a_missing_value_is_an_error_and_never_a_gap() -> None:
    """A message with a hole in it is not sent."""
    with pytest.raises(InvalidInput, match="no sms message can be made"):
        TEMPLATES.render("scores.published", Channel.SMS, "en", {"school": "KCL"})


def test_a_name_is_never_run_as_a_template() -> None:
    """What looks like a template in a value comes out as it went in."""
    body = TEMPLATES.render("scores.published", Channel.SMS, "en", VALUES | {"student": "{{ 7 * 7 }}"}).body
    assert "{{ 7 * 7 }}" in body


def test_a_template_can_reach_nothing_but_its_values(tmp_path: Path) -> None:
    """The sandbox refuses a template that reaches for Python's insides."""
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "scores.published.sms.txt").write_text("{{ student.__class__.__mro__ }}", "utf-8")
    with pytest.raises(InvalidInput):
        Templates(tmp_path).render("scores.published", Channel.SMS, "en", VALUES)


def test_a_subject_stays_one_line_whatever_a_name_holds() -> None:
    """A line break in a name adds no line to the subject, and so no header."""
    evil = VALUES | {"student": "Ada\r\nBcc: all@example.org\u2028x\u202e"}
    title = TEMPLATES.render("scores.published", Channel.EMAIL, "en", evil).title
    assert title == "Mathematics results of Ada Bcc: all@example.org x are published"


@given(st.text())
def test_plain_text_is_one_printable_line(value: str) -> None:
    """No value, whatever it holds, brings in a line break, a control or a direction character."""
    text = plain(value)
    assert text.isprintable() or all(char == " " or char.isprintable() for char in text)
    assert "\n" not in text
    assert "\r" not in text


def test_the_naira_sign_becomes_letters() -> None:
    """The naira sign would make an SMS of one segment three."""
    assert plain("₦45,000") == "NGN 45,000"


def test_absent_outweighs_late() -> None:
    """A student marked both is told as absent, once."""
    student, other = StudentId(uuid4()), StudentId(uuid4())
    event = AttendanceMarked(
        class_arm_id=ClassArmId(uuid4()),
        class_arm_name="JSS 2 Ruby",
        date=date(2027, 12, 6),
        absent_student_ids=(student,),
        late_student_ids=(student, other),
    )
    told = announcement_of(event)
    assert told.students == {student: {"status": "absent"}, other: {"status": "late"}}
    assert told.facts["date"] == "06/12/2027"


@pytest.mark.parametrize(("currency", "amount"), [("NGN", "NGN 45,000.50"), ("GHS", "GHS 45,000.50")])
def test_money_is_told_exactly(currency: str, amount: str) -> None:
    """An amount is told in whole kobo and its own currency, in letters of GSM-7."""
    event = FeeReminder(
        fee_id=FeeId(uuid4()),
        fee_type="School fees",
        student_ids=(StudentId(uuid4()),),
        amount_kobo=4_500_050,
        currency=currency,
        due_date=date(2028, 1, 10),
    )
    assert announcement_of(event).facts["amount"] == amount


def test_every_known_event_can_be_announced() -> None:
    """Each type of event is one that people can hear of."""
    assert {kind.event_type for kind in get_args(AnyPayload)} == set(EVENT_TYPES)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+2348031234567", "+234•••••567"),
        ("ada@example.org", "a•••@example.org"),
        ("12345", "•••"),
        (None, None),
    ],
)
def test_addresses_are_masked(address: str | None, shown: str | None) -> None:
    """The trail shows enough of an address to recognise it and too little to use it."""
    assert masked(address) == shown


def test_every_state_reason_and_outcome_has_words() -> None:
    """The office never reads a code."""
    for state in State:
        assert why(state, None, Channel.SMS)
    for reason in Reason:
        assert reason.value not in why(State.DEAD, reason, Channel.SMS)
    for outcome in Outcome:
        assert " " in outcome_in_words(outcome) or outcome is Outcome.FAILED
