"""The rules of sessions and terms."""

from datetime import date

import pytest

from core.errors import InvalidInput
from core.ids import SessionId, TermId, new_id
from core.school.model import Term
from core.school.records.calendar import check_dates, check_place, check_session_name

SESSION = SessionId(new_id())


def term(number: int, starts_on: date, ends_on: date) -> Term:
    """Return a term of the session."""
    return Term(
        id=TermId(new_id()),
        session_id=SESSION,
        number=number,
        name=f"Term {number}",
        starts_on=starts_on,
        ends_on=ends_on,
        closed_at=None,
        version=1,
    )


FIRST = term(1, date(2027, 9, 6), date(2027, 12, 17))
THIRD = term(3, date(2028, 4, 24), date(2028, 7, 21))


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("2027/2028", True),
        ("2027/2029", False),
        ("2028/2027", False),
        ("2027-2028", False),
        ("27/28", False),
        ("2027/2028 ", False),
        ("", False),
    ],
)
def test_a_session_is_named_by_two_following_years(name: str, taken: bool) -> None:
    """Only two years that follow each other name a session."""
    if taken:
        check_session_name(name)
    else:
        with pytest.raises(InvalidInput, match="like 2027/2028"):
            check_session_name(name)


def test_the_end_comes_after_the_start() -> None:
    """A session or term of one day or less is none."""
    check_dates(date(2027, 9, 6), date(2027, 9, 7))
    for end in (date(2027, 9, 6), date(2027, 9, 5)):
        with pytest.raises(InvalidInput, match="after the start"):
            check_dates(date(2027, 9, 6), end)


@pytest.mark.parametrize(
    ("number", "starts_on", "ends_on", "fits"),
    [
        (2, date(2027, 12, 18), date(2028, 4, 23), True),
        (2, date(2028, 1, 10), date(2028, 4, 7), True),
        (2, date(2027, 12, 17), date(2028, 4, 7), False),
        (2, date(2028, 1, 10), date(2028, 4, 24), False),
        (2, date(2027, 9, 1), date(2027, 9, 5), False),
        (2, date(2028, 7, 22), date(2028, 8, 1), False),
        (3, date(2028, 4, 25), date(2028, 7, 22), True),
        (1, date(2028, 4, 25), date(2028, 7, 22), False),
    ],
)
def test_terms_follow_each_other_by_number(number: int, starts_on: date, ends_on: date, fits: bool) -> None:
    """A term lies after those of lower number and before those of higher; one of the same number is another rule's."""
    others = [FIRST, THIRD]
    if fits:
        check_place(number, starts_on, ends_on, others)
    else:
        with pytest.raises(InvalidInput, match="do not fit those of Term"):
            check_place(number, starts_on, ends_on, others)
