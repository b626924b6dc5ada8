"""Report cards as data: one that is always the same, and any number of random lengths."""

from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from core.reports.card import (
    Card,
    CardAttendance,
    CardPolicy,
    CardSchool,
    CardStudent,
    Column,
    Cumulative,
    NotScored,
    PolicyBand,
    Rating,
    Signature,
    SubjectLine,
    TermAverage,
    TermScore,
    content_hash,
)

NAMES = (
    ("Adébáyọ̀", "Ọláolúwa Ṣọlápé", "Male"),
    ("Ọkọrọ", "Chidịnma Ụjụnwa", "Female"),
    ("Ɗanjuma", "Ƙasimu Bala", "Male"),
    ("Nwachukwu", "Ifeọma Grace", "Female"),
    ("Ògúnlẹ́yẹ", "Tèmítọ́pẹ́", "Female"),
    ("Onyekwere", "Chukwuemeka Ọbinna", "Male"),
    ("Ƴar'adua", "Aisha", "Female"),
    ("Okafọ", "Kosisọchukwu", "Female"),
)
"""Family name, given names and gender, with the letters of Yoruba, Igbo and Hausa."""

SUBJECTS = (
    "Mathematics",
    "English Language",
    "Basic Science",
    "Basic Technology",
    "Social Studies",
    "Civic Education",
    "Agricultural Science",
    "Home Economics",
    "Computer Studies",
    "Yorùbá",
    "Christian Religious Studies",
    "Business Studies",
    "Physical and Health Education",
    "French",
    "Cultural and Creative Arts",
    "Security Education",
    "Music",
    "Asụsụ Igbo",
    "Harshen Hausa",
    "Further Mathematics",
)
COLUMNS = (
    Column(name="Assignment", max=10),
    Column(name="Note", max=10),
    Column(name="CA", max=20),
    Column(name="Exam", max=60),
)
_BANDS = (
    ("A", 70, "Excellent"),
    ("B", 60, "Very good"),
    ("C", 50, "Good"),
    ("D", 45, "Fair"),
    ("E", 40, "Pass"),
    ("F", 0, "Fail"),
)
_REMARKS = (
    "Excellent performance",
    "Steady work, and it shows",
    "Should read the questions with more care before answering; knows more than the paper tells",
    "Good",
    "",
)
_TRAITS = (
    ("affective", ("Punctuality", "Neatness", "Honesty", "Politeness")),
    ("psychomotor", ("Handwriting", "Sports", "Drawing and painting", "Handling of tools")),
)


def make_card(**overrides: Any) -> Card:
    """Return one and the same finalised card of twelve subjects, with what the overrides change."""
    made = _card(Random(7), index=0, subjects=12, term=1, ordinary=True)
    return _finalised(made.model_copy(update=overrides))


def cards(n: int, seed: int) -> list[Card]:
    """Return finalised cards of random lengths: 1 to 20 subjects, short and long remarks, first and third terms."""
    dice = Random(seed)
    return [
        _finalised(_card(dice, index, subjects=dice.randint(1, len(SUBJECTS)), term=dice.choice((1, 2, 3))))
        for index in range(n)
    ]


def _card(dice: Random, index: int, *, subjects: int, term: int, ordinary: bool = False) -> Card:
    lines = tuple(_line(dice, name, term, ordinary=ordinary) for name in SUBJECTS[:subjects])
    scores = [line.score for line in lines if line.score is not None]
    average = (sum(scores, Decimal(0)) / len(scores)).quantize(Decimal("0.1")) if scores else None
    return Card(
        student=_student(dice, index),
        school=CardSchool(
            name="Kings College Lagos", address="3 Catholic Mission Street\nLagos Island", motto="Spero lucem"
        ),
        session="2027/2028",
        term=("First Term", "Second Term", "Third Term")[term - 1],
        term_number=term,
        columns=COLUMNS,
        subjects=lines,
        attendance=CardAttendance(days_present=dice.randint(40, 65), total_days=65),
        overall_average=average,
        overall_grade=_band(average)[0] if average is not None else None,
        class_position=index % 45 + 1 if average is not None else None,
        position_shared=index % 9 == 4,
        total_in_class=45,
        ranked_in_class=44,
        class_average=Decimal("61.4"),
        principal_remark="Keep up the good work",
        principal="Mrs Àlàbí Ronkẹ́",
        class_teacher_remark=" ".join([dice.choice(_REMARKS[:4])] * (1 if ordinary else dice.randint(1, 6))),
        class_teacher="Mr Eze Ụchenna",
        next_term_begins=date(2028, 1, 10),
        cumulative=_cumulative(dice, average) if term == 3 else None,
        ratings=_ratings(dice),
        signatures=(
            Signature(title="Class teacher", name="Mr Eze Ụchenna"),
            Signature(title="Principal", name="Mrs Àlàbí Ronkẹ́"),
        ),
        trend=_trend(dice, average),
        policy=_policy(),
    )


def _student(dice: Random, index: int) -> CardStudent:
    family, given, gender = NAMES[index % len(NAMES)]
    number = f"KCL/S/25/{index + 1:04}"
    return CardStudent(
        id=f"00000000-0000-7000-8000-{index + 1:012x}",
        # The number of the name keeps every card's name its own, so that a page can be told from another's.
        name=f"{family} {given} {_roman(index)}".rstrip(),
        family_name=family,
        given_names=f"{given} {_roman(index)}".rstrip(),
        student_no=number,
        class_name=f"JSS 2 {dice.choice(('Ruby', 'Diamond'))}",
        gender=gender,
    )


def _roman(index: int) -> str:
    letters, rest = "", index
    while rest:
        rest, digit = divmod(rest, 26)
        letters = chr(ord("a") + digit) + letters
    return f"{letters}son".capitalize() if letters else ""


def _line(dice: Random, name: str, term: int, *, ordinary: bool) -> SubjectLine:
    fate = "complete" if ordinary else dice.choices(("complete", "absent", "missing"), (90, 4, 6))[0]
    marks: dict[str, Decimal | None] = {
        column.name: Decimal(dice.randint(column.max // 3, column.max)) for column in COLUMNS
    }
    why: dict[str, NotScored] = {}
    if fate == "absent":
        marks, why = dict.fromkeys(marks), dict.fromkeys(marks, NotScored.ABSENT)
    if fate == "missing":
        marks["Exam"], why = None, {"Exam": NotScored.MISSING}
    total = sum((mark for mark in marks.values() if mark is not None), Decimal(0))
    score = total if fate == "complete" else None
    grade, remark = _band(score) if score is not None else (None, "")
    earlier = [
        TermScore(term=f"{ordinal} Term", score=Decimal(dice.randint(30, 95))) for ordinal in ("First", "Second")
    ]
    return SubjectLine(
        name=name,
        assessments=marks,
        not_scored=why,
        total=None if fate == "absent" else total,
        score=score,
        grade=grade,
        position=dice.randint(1, 45) if score is not None else None,
        position_shared=score is not None and dice.random() < 0.1,
        class_average=Decimal(dice.randint(450, 750)) / 10,
        highest=Decimal(97),
        lowest=Decimal(21),
        subject_class_size=44,
        absent=fate == "absent",
        missing=fate == "missing",
        remark=remark,
        teacher_remark=dice.choice(_REMARKS),
        teacher="Mr Eze Ụchenna",
        terms=(*earlier, TermScore(term="Third Term", score=score)) if term == 3 else (),
        cumulative=Decimal(dice.randint(300, 950)) / 10 if term == 3 else None,
        cumulative_grade="C" if term == 3 else None,
    )


def _band(score: Decimal) -> tuple[str, str]:
    return next((grade, remark) for grade, floor, remark in _BANDS if score >= floor)


def _cumulative(dice: Random, average: Decimal | None) -> Cumulative:
    promoted = dice.random() < 0.8
    return Cumulative(
        terms=(
            TermScore(term="First Term", score=Decimal("58.2")),
            TermScore(term="Second Term", score=Decimal("61.9")),
            TermScore(term="Third Term", score=average),
        ),
        average=Decimal("60.1"),
        grade="B",
        position=12,
        promotion="promoted" if promoted else "repeat",
        sentence="Promoted to JSS 3." if promoted else "To repeat JSS 2: 4 subjects below the pass mark.",
    )


def _ratings(dice: Random) -> tuple[Rating, ...]:
    return tuple(
        Rating(group="affective" if group == "affective" else "psychomotor", name=name, score=dice.randint(2, 5))
        for group, names in _TRAITS
        for name in names
    )


def _trend(dice: Random, average: Decimal | None) -> tuple[TermAverage, ...]:
    earlier = tuple(
        TermAverage(term=f"Term {number} 2026/2027", average=Decimal(dice.randint(450, 800)) / 10)
        for number in (1, 2, 3)
    )
    return (*earlier, TermAverage(term="Term 1 2027/2028", average=average)) if average is not None else earlier


def _policy() -> CardPolicy:
    tops = [100, *[floor - 1 for _, floor, _ in _BANDS]]
    return CardPolicy(
        name="JSS letters A-F",
        version=1,
        pass_mark=40,
        bands=tuple(
            PolicyBand(grade=grade, from_=floor, to=top, remark=remark)
            for (grade, floor, remark), top in zip(_BANDS, tops, strict=False)
        ),
    )


def _finalised(card: Card) -> Card:
    found = content_hash(card.content())
    return card.model_copy(
        update={
            "serial": card.serial or "-".join((found[:4], found[4:8], found[8:12])).upper(),
            "snapshot_hash": found,
            "finalised_on": date(2027, 12, 10),
        }
    )
