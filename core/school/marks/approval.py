"""The approval chain as a state machine over policy data.

::

    draft --submit--> submitted --approve, once a step--> approved --publish--> published
      ^                   |                                  |                      |
      +------return-------+--------------return--------------+                      |
      +------reopen (a new round)---------------------------------------------------+

A policy without steps takes a submitted sheet straight to approved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from core.access.principal import Role
from core.errors import Conflict


class SheetState(StrEnum):
    """Where a mark sheet is on its way to the guardians. Marks are written in draft only."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    PUBLISHED = "published"


class Action(StrEnum):
    """What moves a sheet along the chain, or back."""

    SUBMIT = "submit"
    APPROVE = "approve"
    RETURN = "return"
    PUBLISH = "publish"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a sheet has come."""

    state: SheetState
    steps_done: int = 0
    round: int = 1
    """Counts up each time a published sheet is reopened."""


def step_due(standing: Standing, steps: Sequence[Role]) -> Role | None:
    """Return whose approval is waited for, or None where none is."""
    if standing.state is not SheetState.SUBMITTED or standing.steps_done >= len(steps):
        return None
    return steps[standing.steps_done]


def after(standing: Standing, action: Action, steps: Sequence[Role]) -> Standing:
    """Return where an action takes a sheet. Raises ``Conflict`` where its state does not allow the action."""
    match standing.state, action:
        case SheetState.DRAFT, Action.SUBMIT:
            state = SheetState.SUBMITTED if steps else SheetState.APPROVED
            return replace(standing, state=state, steps_done=0)
        case SheetState.SUBMITTED, Action.APPROVE:
            done = standing.steps_done + 1
            state = SheetState.APPROVED if done >= len(steps) else SheetState.SUBMITTED
            return replace(standing, state=state, steps_done=done)
        case ((SheetState.SUBMITTED | SheetState.APPROVED), Action.RETURN):
            return replace(standing, state=SheetState.DRAFT, steps_done=0)
        case SheetState.APPROVED, Action.PUBLISH:
            return replace(standing, state=SheetState.PUBLISHED)
        case SheetState.PUBLISHED, Action.REOPEN:
            return Standing(SheetState.DRAFT, round=standing.round + 1)
    raise Conflict(f"a sheet that is {standing.state} does not allow {action}: {_ALLOWED[standing.state]}")


def require_draft(standing: Standing) -> None:
    """Raise ``Conflict`` unless marks may be written."""
    if standing.state is not SheetState.DRAFT:
        raise Conflict(
            f"marks are written while the sheet is draft, and it is {standing.state}: return or reopen it first"
        )


_ALLOWED = {
    SheetState.DRAFT: "submit it first",
    SheetState.SUBMITTED: "it waits for approval, or for being returned",
    SheetState.APPROVED: "it waits for being published, or returned",
    SheetState.PUBLISHED: "the principal may reopen it",
}
