"""How values read on a card, what its small chart draws, and what a broadsheet holds."""

import io
from datetime import date
from decimal import Decimal

import pytest
from fontTools.ttLib import TTFont
from openpyxl import load_workbook

from core.errors import InvalidInput
from core.reports import wording
from core.reports.broadsheet import broadsheet_of, name_key
from core.reports.broadsheet_workbook import workbook_of
from core.reports.card import CardStyle
from core.reports.charts import Point, labels_of, trend
from core.reports.fonts import LETTERS
from core.reports.images import data_uri
from core.reports.layout import _ink_on, qr_code
from tests.factories.printing import FONTS, picture
from tests.factories.reports import NAMES, cards, make_card


@pytest.mark.parametrize(
    ("place", "shared", "read"),
    [
        (1, False, "1st"),
        (2, True, "2nd="),
        (3, False, "3rd"),
        (11, False, "11th"),
        (22, False, "22nd"),
        (None, True, "—"),
    ],
)
def test_positions_read_as_people_say_them(place: int | None, shared: bool, read: str) -> None:
    """A position has its ending, an equals sign where shared, and a dash where there is none."""
    assert wording.ordinal(place, shared) == read


@pytest.mark.parametrize(
    ("value", "read"), [(Decimal(87), "87"), (Decimal("72.50"), "72.5"), (Decimal(100), "100"), (0, "0"), (None, "—")]
)
def test_figures_have_no_needless_noughts(value: Decimal | int | None, read: str) -> None:
    """A mark is written as short as it can be, and none is a dash."""
    assert wording.figure(value) == read


def test_averages_keep_their_place() -> None:
    """An average always has one place."""
    assert wording.tenth(Decimal(48)) == "48.0"


def test_text_is_one_composed_line_without_controls() -> None:
    """Line feeds, direction marks and zero-width letters go, letters are composed, and what is too long is cut."""
    assert wording.clean("  A\u0301de\u202e\u200b\n Ọla\u0301 ") == "Áde Ọlá"
    assert wording.clean("x" * 50, 10) == "xxxxxxxxx…"


@pytest.mark.parametrize("text", ['"; } </style>', "\\", "Ọlá's", "a\nb", "url(x)", "\u202e"])
def test_css_text_cannot_be_ended(text: str) -> None:
    """Every character but plain letters and figures is escaped in a CSS string."""
    inner = wording.css_text(text)[1:-1]
    assert not set(inner) - set("\\ 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def test_dates_read_as_letters_and_forms_have_them() -> None:
    """The long form has the weekday; the short form is day, month, year."""
    assert wording.long_date(date(2028, 1, 10)) == "Monday 10 January 2028"
    assert wording.short_date(date(2028, 1, 10)) == "10/01/2028"


@pytest.mark.parametrize(
    ("term", "labels"),
    [
        ("Term 1 2026/2027", ("T1", "26/27")),
        ("Third Term 2027-2028", ("T3", "27/28")),
        ("Second Term", ("T2", "")),
        ("Michaelmas", ("Michaelma", "")),
    ],
)
def test_terms_are_short_in_the_chart(term: str, labels: tuple[str, str]) -> None:
    """A term's label is its number over the session's years, or what fits of its name."""
    assert labels_of(term) == labels


def test_chart_needs_two_points_and_escapes_labels() -> None:
    """One term draws nothing; labels are text whatever they hold; nine terms at most are drawn."""
    assert trend([Point(Decimal(50), "T1")]) == ""
    drawn = trend([Point(Decimal(at), "<script>") for at in range(12)])
    assert "<script>" not in drawn
    assert drawn.count("<circle") == 9


def test_ink_can_be_read_on_every_colour() -> None:
    """Text on a school's colour is white, or near black where the colour is light."""
    assert _ink_on("#1f3a5f") == "#ffffff"
    assert _ink_on("#ffd700") == "#1b1b1b"


def test_code_is_a_drawing_of_its_own() -> None:
    """The QR code is one path without a reference to anything."""
    drawn = qr_code("https://school.example/verify/106C-796C-FDEA")
    assert drawn.count("<path") == 1
    assert "href" not in drawn


def test_broadsheet_is_by_position_and_knows_the_class() -> None:
    """Students stand by position, those without one last; a subject's figures count those with a result alone."""
    made = [*cards(8, seed=2), make_card(class_position=None, overall_average=None)]
    sheet = broadsheet_of(made)
    places = [row.position for row in sheet.rows]
    assert places == [*sorted(place for place in places if place), None]
    maths = [line.score for card in made for line in card.subjects if line.name == "Mathematics" and line.score]
    figures = sheet.figures[sheet.subjects.index("Mathematics")]
    assert (figures.sat, figures.highest, figures.lowest) == (len(maths), max(maths), min(maths))


def test_broadsheet_of_nothing_is_refused() -> None:
    """A class without results has no broadsheet."""
    with pytest.raises(InvalidInput):
        broadsheet_of([])


def test_names_sort_without_their_marks() -> None:
    """Ọlá stands among the Os, and a hooked letter after its plain one."""
    assert sorted(["Zub", "Ọlá", "Okafor", "Onu", "Ɗan", "Dzu", "Eze"], key=name_key) == [
        "Dzu", "Ɗan", "Eze", "Okafor", "Ọlá", "Onu", "Zub",
    ]  # fmt: skip


def test_workbook_holds_numbers_and_no_formula() -> None:
    """Scores are numbers to reckon with; a name that looks like a formula is text."""
    student = make_card().student.model_copy(update={"name": '=HYPERLINK("http://x","y")'})
    sheet = load_workbook(io.BytesIO(workbook_of(broadsheet_of([make_card(student=student)]), CardStyle()))).active
    assert sheet is not None
    assert (sheet["C5"].value, sheet["C5"].data_type) == ('=HYPERLINK("http://x","y")', "s")
    assert sheet["D5"].value == 48
    assert sheet["C6"].value == "Class average"


def test_cut_fonts_hold_every_letter_of_the_names() -> None:
    """All weights hold each letter of the names, with anchors for the marks, at a tenth of the size."""
    wanted = {ord(char) for family, given, _ in NAMES for char in family + given} | {0x20A6, 0x1E44, 0x1ECB, 0x331}
    assert wanted <= set(LETTERS)
    for content in FONTS.files().values():
        font = TTFont(io.BytesIO(content))
        assert wanted <= set(font.getBestCmap())
        assert "mark" in {each.FeatureTag for each in font["GPOS"].table.FeatureList.FeatureRecord}
        assert len(content) < 200_000


def test_pictures_are_drawn_anew() -> None:
    """What is embedded is a new picture of the pixels, no larger than print needs, without what else the file held."""
    hidden = picture(size=(2_000, 1_000)) + b"<script>hidden</script>"
    uri = data_uri(hidden)
    assert uri.startswith("data:image/jpeg;base64,")
    assert len(uri) < 20_000
