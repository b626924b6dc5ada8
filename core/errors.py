"""The one exception tree.

Errors cross process borders, so every argument goes to ``super().__init__`` and each pickles.
HTTP statuses are given in ``deployments.ground.problem``, exit codes in ``cluster.cli``; nowhere else.

::

    SchoolOSError
    ├── NotFound          there is no such thing, or it belongs to another school
    ├── Conflict          the thing is not in a state that allows this
    │   └── Stale         someone else changed it since it was read
    ├── InvalidInput      the caller's data is wrong; carries one Fault for each place
    ├── NotAuthenticated  who is asking is not known
    ├── NotPermitted      who is asking is known and may not
    ├── TooMany           a limit of rate, size or count; may carry when to come back
    ├── Unavailable       a dependency does not answer; may carry when to come back
    └── Broken            a promise inside the system does not hold
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the caller's data."""

    where: str
    """A JSON pointer (``/students/3/phone``) or a cell of a workbook (``Marks!D7``)."""
    what: str
    """What is wrong and what is allowed, in a sentence for the person who can mend it."""
    code: str = "invalid"
    """A stable word for programs: ``missing``, ``unknown``, ``out_of_range``, ``duplicate``, ..."""


class SchoolOSError(Exception):
    """Base of all errors that SchoolOS raises on purpose."""

    def __init__(self, message: str, *args: object) -> None:
        super().__init__(message, *args)
        self.message = message

    def __str__(self) -> str:
        return self.message


class NotFound(SchoolOSError):
    """There is no such thing, or it belongs to another school: the caller can't tell which."""


class Conflict(SchoolOSError):
    """The thing is not in a state that allows this."""

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message, tuple(faults))
        self.faults = tuple(faults)
        """What stands in the way, place by place, where that can be told."""


class Stale(Conflict):
    """Someone else changed the thing since the caller read it."""


class InvalidInput(SchoolOSError):
    """The caller's data is wrong."""

    def __init__(self, message: str, faults: Sequence[Fault] = (), report_url: str | None = None) -> None:
        super().__init__(message, tuple(faults), report_url)
        self.faults = tuple(faults)
        self.report_url = report_url
        """Where the caller gets a copy of the uploaded file with the faults marked in it."""


class NotAuthenticated(SchoolOSError):
    """Who is asking is not known: no token, or one that is wrong or out of date."""


class NotPermitted(SchoolOSError):
    """Who is asking is known and may not do this."""


class TooMany(SchoolOSError):
    """A limit of rate, size or count is reached."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s


class Unavailable(SchoolOSError):
    """A dependency does not answer."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s


class Broken(SchoolOSError):
    """A promise inside the system does not hold: a defect, never the caller's fault."""
