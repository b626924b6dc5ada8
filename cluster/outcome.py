"""The one place where an error becomes a sentence and an exit code."""

import sys
from collections.abc import Callable

from core.errors import (
    Broken,
    Conflict,
    Fault,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    SchoolOSError,
    TooMany,
    Unavailable,
)

_CODES: dict[type[SchoolOSError], int] = {
    InvalidInput: 2,  # as for a wrong option
    NotFound: 3,
    Conflict: 4,
    NotAuthenticated: 5,
    NotPermitted: 5,
    TooMany: 6,
    Unavailable: 6,
    Broken: 70,  # EX_SOFTWARE
}
"""sysexits.h has no codes for most of these; 1 stays for what is unexpected."""


def exit_code(error: SchoolOSError) -> int:
    """Return the exit code of an error, that of its nearest kind."""
    return next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)


def sentence(error: SchoolOSError) -> str:
    """Return what to tell a person: the message, and below it each place that is wrong; the same words only once."""
    faults = error.faults if isinstance(error, InvalidInput) else ()
    if len(faults) == 1 and faults[0].what == error.message:
        return _placed(faults[0])
    return "\n".join([error.message, *(f"  {_placed(fault)}" for fault in faults)])


def _placed(fault: Fault) -> str:
    where = fault.where.removeprefix("/query/")
    return f"{where}: {fault.what}" if where else fault.what


def finish(work: Callable[[], int | None]) -> int:
    """Run a command and return its exit code; an error of ours is told on standard error without a traceback."""
    try:
        return work() or 0
    except SchoolOSError as error:
        print(sentence(error), file=sys.stderr)  # noqa: T201 - the command's own output
        return exit_code(error)
    except KeyboardInterrupt:
        return 130
