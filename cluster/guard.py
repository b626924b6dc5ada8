"""No process of ours outlives `schoolos up`, however it ends.

``guarded`` forks. The parent adopts every descendant that loses its own parent (``PR_SET_CHILD_SUBREAPER``), hands
signals to the child that does the work and, when that child ends for whatever reason, ends what is left. The child is
told by the kernel when the parent is killed (``PR_SET_PDEATHSIG``) and then ends in order.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import psutil

from cluster.embedded.process import ProcessMark, end
from core.errors import Unavailable

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_S = 5.0
"""What is left over when the worker has ended was told to end before; it gets this long again."""


def guarded(work: Callable[[], int]) -> int:
    """Run ``work`` in a child, and return its exit code once no descendant is left."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _work_and_exit(work, guard=os.getppid())
    for signum in _FORWARDED:
        signal.signal(signum, _forwarder(child))
    code = _await(child)
    _end_descendants()
    return code


def die_with(parent: int) -> None:
    """Have the kernel send this process SIGTERM when its parent dies."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)  # the parent was killed before the kernel knew that it matters


def _work_and_exit(work: Callable[[], int], *, guard: int) -> None:
    os.setpgid(0, 0)  # so that the terminal's Ctrl-C comes once, from the guard
    die_with(guard)
    code = 1
    try:
        code = work()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _forwarder(child: int) -> Callable[[int, FrameType | None], None]:
    def forward(signum: int, _: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, signum)

    return forward


def _await(child: int) -> int:
    """Reap every adopted process until the worker itself ends; return its exit code as a shell tells it."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _end_descendants() -> None:
    """End what is left until nothing is: a process that is told to end may still start another."""
    while found := psutil.Process().children(recursive=True):
        marks = []
        for process in found:
            with suppress(Unavailable):
                marks.append(ProcessMark.of(process.pid))
        end(marks, within_s=_GRACE_S)
        _reap_all()


def _reap_all() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl failed")
