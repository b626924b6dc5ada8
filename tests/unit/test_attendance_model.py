"""What is news in a register, and what makes it whole."""

from uuid import uuid4

import pytest

from core.errors import InvalidInput
from core.ids import StudentId
from core.school.attendance.model import AttendanceStatus, Entry, news_of, require_whole

ADA, BEN, CHI = (StudentId(uuid4()) for _ in range(3))
ABSENT, LATE, PRESENT, EXCUSED = (
    AttendanceStatus.ABSENT,
    AttendanceStatus.LATE,
    AttendanceStatus.PRESENT,
    AttendanceStatus.EXCUSED,
)


def test_the_first_saving_tells_of_all_absent_and_late() -> None:
    """Before anything is saved everyone absent or late is news; present and excused never are."""
    news = news_of({}, [Entry(ADA, ABSENT), Entry(BEN, LATE), Entry(CHI, EXCUSED)])
    assert (news.absent, news.late) == ((ADA,), (BEN,))


def test_what_was_told_is_not_told_again() -> None:
    """Only who is newly absent or late is told; being found late after being absent is news of its own."""
    before = {ADA: ABSENT, BEN: ABSENT, CHI: PRESENT}
    news = news_of(before, [Entry(ADA, ABSENT), Entry(BEN, LATE), Entry(CHI, ABSENT)])
    assert (news.absent, news.late) == ((CHI,), (BEN,))
    assert not news_of(before, [Entry(ADA, ABSENT), Entry(BEN, EXCUSED), Entry(CHI, PRESENT)])


def test_each_fault_of_a_register_is_named() -> None:
    """A stranger, one twice and one missing are each told with their place."""
    with pytest.raises(InvalidInput) as caught:
        require_whole([ADA, BEN], [Entry(ADA, PRESENT), Entry(ADA, LATE), Entry(CHI, PRESENT)])
    assert [(fault.where, fault.code) for fault in caught.value.faults] == [
        ("/entries/1/studentId", "duplicate"),
        ("/entries/2/studentId", "unknown"),
        ("/entries", "missing"),
    ]
