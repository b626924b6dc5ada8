"""The approval chain as a state machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access.principal import Role
from core.errors import Conflict
from core.school.marks.approval import Action, SheetState, Standing, after, require_draft, step_due

STEPS = (Role.HEAD_OF_DEPARTMENT, Role.PRINCIPAL)


def test_the_chain_leads_from_draft_to_published() -> None:
    """Each step of the policy is waited for in turn, then the sheet may be published."""
    standing = after(Standing(SheetState.DRAFT), Action.SUBMIT, STEPS)
    assert step_due(standing, STEPS) is Role.HEAD_OF_DEPARTMENT
    standing = after(standing, Action.APPROVE, STEPS)
    assert step_due(standing, STEPS) is Role.PRINCIPAL
    standing = after(standing, Action.APPROVE, STEPS)
    assert (standing.state, step_due(standing, STEPS)) == (SheetState.APPROVED, None)
    assert after(standing, Action.PUBLISH, STEPS).state is SheetState.PUBLISHED


def test_a_returned_sheet_begins_anew() -> None:
    """Approvals already given don't count after a return."""
    returned = after(Standing(SheetState.SUBMITTED, steps_done=1), Action.RETURN, STEPS)
    assert returned == Standing(SheetState.DRAFT)


def test_reopening_begins_a_new_round() -> None:
    """A published sheet comes back to draft with its round counted up."""
    assert after(Standing(SheetState.PUBLISHED, 2), Action.REOPEN, STEPS) == Standing(SheetState.DRAFT, round=2)


def test_a_policy_without_steps_needs_no_approval() -> None:
    """Handing in goes straight to approved where nobody has to approve."""
    assert after(Standing(SheetState.DRAFT), Action.SUBMIT, ()).state is SheetState.APPROVED


ALLOWED = {
    (SheetState.DRAFT, Action.SUBMIT),
    (SheetState.SUBMITTED, Action.APPROVE),
    (SheetState.SUBMITTED, Action.RETURN),
    (SheetState.APPROVED, Action.RETURN),
    (SheetState.APPROVED, Action.PUBLISH),
    (SheetState.PUBLISHED, Action.REOPEN),
}


@pytest.mark.parametrize("state", SheetState)
@pytest.mark.parametrize("action", Action)
def test_nothing_else_is_allowed(state: SheetState, action: Action) -> None:
    """Of twenty pairs of state and action six are allowed; the others are conflicts."""
    if (state, action) in ALLOWED:
        after(Standing(state), action, STEPS)
        return
    with pytest.raises(Conflict, match=state.value):
        after(Standing(state), action, STEPS)


@given(st.lists(st.sampled_from(Action), max_size=40), st.lists(st.sampled_from(sorted(Role)), max_size=3))
def test_no_sheet_is_published_without_every_approval(actions: list[Action], steps: list[Role]) -> None:
    """Whatever is tried, between handing in and publishing lie as many approvals as the policy has steps."""
    standing, approvals = Standing(SheetState.DRAFT), 0
    for action in actions:
        try:
            standing = after(standing, action, steps)
        except Conflict:
            continue
        approvals = approvals + 1 if action is Action.APPROVE else approvals
        approvals = 0 if standing.state is SheetState.DRAFT else approvals
        if standing.state is SheetState.PUBLISHED:
            assert approvals == len(steps)


@pytest.mark.parametrize("state", [SheetState.SUBMITTED, SheetState.APPROVED, SheetState.PUBLISHED])
def test_marks_are_locked_outside_draft(state: SheetState) -> None:
    """Only a draft takes marks."""
    require_draft(Standing(SheetState.DRAFT))
    with pytest.raises(Conflict):
        require_draft(Standing(state))
