"""What an earlier term's marks come to, counted by the database, is what grading says of them one by one."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from core.reports.record_store import earlier_score
from core.school.defaults import ASSESSMENT, JSS_LETTERS
from core.school.grading import ResultStatus, subject_result
from core.school.marks.model import ABSENT, EXEMPT, Mark, MarkStatus

PARTS = ASSESSMENT.components
marks = st.lists(
    st.one_of(st.none(), st.just(ABSENT), st.just(EXEMPT), st.integers(0, 10).map(Mark.scored)),
    min_size=len(PARTS),
    max_size=len(PARTS),
)


@given(marks=marks)
def test_counted_and_graded_agree(marks: list[Mark | None]) -> None:
    """Score, absence and completeness are those of ``core.school.grading``, whatever is recorded."""
    there = {part.code: mark for part, mark in zip(PARTS, marks, strict=True) if mark is not None}
    values = [mark.value for mark in there.values() if mark.value is not None]
    statuses = [mark.status for mark in there.values()]
    counted = {
        "total": sum(values, Decimal(0)) if values else None,
        "there": len(there),
        "scored": MarkStatus.SCORED in statuses,
        "absent": MarkStatus.ABSENT in statuses,
        "exempt": [code for code, mark in there.items() if mark is EXEMPT] or None,
    }
    graded = subject_result(there, PARTS, JSS_LETTERS)
    found = earlier_score(counted, PARTS)
    if found is None:
        assert graded.score is None
        assert graded.status is not ResultStatus.ABSENT
    elif found.complete:
        assert found.score == graded.score
        assert found.absent == (graded.status is ResultStatus.ABSENT)
    else:
        assert graded.status is ResultStatus.INCOMPLETE
