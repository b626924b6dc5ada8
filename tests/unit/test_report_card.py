"""A card as data: the source's contract, the hash, serials, ratings, remarks."""

from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.ids import ClassArmId, StudentId
from core.reports.card import Card, CardStyle, content_hash
from core.reports.comments import check, fill
from core.reports.ratings import as_printed, require_valid
from core.reports.records import StudentRecord
from core.reports.serials import new_serial, normal
from core.school.model import Gender
from core.school.report_policies import ReportPolicy
from tests.factories.reports import cards, make_card

SOURCE = """
{"student": {"name": "Tudonu David", "studentNo": "KCL/S/25/0001", "class": "JSS 2 Ruby", "gender": "Male",
             "avatarUrl": "..."},
 "school": {"name": "Kings College Lagos", "logo": "...", "address": "..."},
 "session": "2027-2028", "term": "First Term",
 "subjects": [{"name": "Mathematics", "assessments": {"Assignment": 10, "Note": 9, "CA": 18, "Exam": 50}, "total": 87,
               "grade": "A", "position": 1, "classAverage": 72.5, "teacherRemark": "Excellent performance"}],
 "attendance": {"daysPresent": 58, "totalDays": 65}, "overallAverage": 78.5, "overallGrade": "A", "classPosition": 3,
 "totalInClass": 45, "principalRemark": "Keep up the good work", "nextTermBegins": "2028-01-15"}
"""


def person(given: str, gender: Gender = Gender.FEMALE, family: str = "Eze", number: int = 1) -> StudentRecord:
    """Return a student."""
    return StudentRecord(
        id=StudentId(UUID(int=number)),
        class_arm_id=ClassArmId(UUID(int=7)),
        student_no=f"S/{number}",
        family_name=family,
        given_names=given,
        gender=gender,
        photo_key=None,
    )


def test_the_sources_json_is_a_card() -> None:
    """The data contract of the source is read and written with its own names (P5-02 to P5-05)."""
    card = Card.model_validate_json(SOURCE)
    assert card.columns_shown == ("Assignment", "Note", "CA", "Exam")
    assert sum(value or Decimal(0) for value in card.subjects[0].assessments.values()) == card.subjects[0].total
    written = card.model_dump(mode="json", by_alias=True)
    assert written["subjects"][0]["classAverage"] == 72.5
    assert written["subjects"][0]["total"] == 87
    assert written["student"]["class"] == "JSS 2 Ruby"
    assert written["nextTermBegins"] == "2028-01-15"


@pytest.mark.parametrize("card", cards(20, seed=3))
def test_a_card_survives_its_journey(card: Card) -> None:
    """A card read from its content is the same card, and has the same content and hash."""
    again = Card.model_validate_json(card.content())
    assert again.content() == card.content()
    assert content_hash(again.content()) == card.snapshot_hash
    assert Card.model_validate_json(card.model_dump_json(by_alias=True)) == card


def test_the_hash_is_of_what_the_card_says() -> None:
    """Serial, date and withholding are no content; a mark is."""
    card = make_card()
    given = card.model_copy(update={"serial": "x", "withheld": "fees", "finalised_on": None})
    assert given.content() == card.content()
    assert card.model_copy(update={"overall_average": Decimal("1.5")}).content() != card.content()


def test_serials_are_read_as_people_type_them() -> None:
    """Case, hyphens, blanks and look-alike letters don't count; what can be no serial is none."""
    serial = new_serial()
    assert normal(serial) == serial
    assert normal(serial.lower().replace("-", " ").replace("0", "O").replace("1", "I")) == serial
    for typed in ("", "abc", serial + "0", serial.replace(serial[0], "U"), "ſ" * 12, "١" * 12):
        assert normal(typed) is None


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_serials(typed: str) -> None:
    """Whatever is typed gives a serial in its one form, or none."""
    found = normal(typed)
    assert found is None or normal(found) == found


def test_placeholders_become_name_and_pronouns() -> None:
    """The first given name and pronouns of the student's gender stand where the placeholders were."""
    text = "{first_name} knows {his_her} work; {He_She} helps others, and we trust {him_her}. It is {his_hers}."
    assert fill(text, person("Ọbinna Paul", Gender.MALE)) == (
        "Ọbinna knows his work; He helps others, and we trust him. It is his."
    )
    assert fill(text, person("Adaeze")) == ("Adaeze knows her work; She helps others, and we trust her. It is hers.")


@pytest.mark.parametrize("text", ["{name} works", "{first_name works", "works}", "{}", "{first_name.__class__}"])
def test_an_unknown_placeholder_is_refused(text: str) -> None:
    """What is no placeholder of ours is said, never printed."""
    with pytest.raises(InvalidInput, match=r"placeholder|brace"):
        fill(text, person("Ada"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ngozi works well.", [("other_student", "Ngozi")]),
        ("NGỌZI'S work is good.", [("other_student", "NGỌZI'S")]),
        ("A joy to teach, with patience.", []),
        ("Joy has worked hard.", [("other_student", "Joy")]),
        ("He works, and his books are in order.", [("wrong_pronoun", "He"), ("wrong_pronoun", "his")]),
        ("She works, and her books are in order.", []),
        ("Adaeze Eze works well.", []),
        ("The Hebrew class, this term.", []),
        ("", []),
    ],
)
def test_a_remark_is_checked_to_be_about_the_student(text: str, found: list[tuple[str, str]]) -> None:
    """Another student's name with a capital and pronouns of the other gender are told, words that are both are not."""
    mates = [
        person("Adaeze"),
        person("Ngọzi Adaeze", number=2, family="Okafọ"),
        person("Joy Patience", number=3),
    ]
    warned = check(text, mates[0], mates)
    assert [(each.code, text[each.start : each.end]) for each in warned] == found


def test_ratings_are_of_the_schools_traits() -> None:
    """Every trait stands on the card, rated or not; one that is not the school's or off the scale is refused."""
    rules = ReportPolicy(affective=("Honesty", "Neatness"), psychomotor=("Music",))
    printed = as_printed({"Neatness": 4}, rules)
    assert [(each.group, each.name, each.score) for each in printed] == [
        ("affective", "Honesty", None),
        ("affective", "Neatness", 4),
        ("psychomotor", "Music", None),
    ]
    assert as_printed({}, rules) == ()
    with pytest.raises(InvalidInput) as refused:
        require_valid({"Neatness": 6, "Sports": 3}, rules)
    assert [fault.where for fault in refused.value.faults] == ["/scores/Sports", "/scores/Neatness"]


@pytest.mark.parametrize("colour", ["red", "#12345", "#1234567", "#12345g", "url(x)", "#123456;x", "#123456\n"])
def test_a_colour_is_six_digits(colour: str) -> None:
    """What is no colour never reaches a style sheet."""
    with pytest.raises(ValueError, match="primary"):
        CardStyle(primary=colour)


def test_traits_stand_once() -> None:
    """A trait of one name in both groups is refused, as ratings are kept by name."""
    with pytest.raises(ValueError, match="trait"):
        ReportPolicy(affective=("Music",), psychomotor=("music",))
