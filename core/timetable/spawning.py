"""Starts our own modules as processes that can be killed whole and never outlive who started them."""

import ctypes
import os
import signal
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection

_PR_SET_PDEATHSIG = 1


def spawn(module: str, *arguments: str) -> tuple["subprocess.Popen[bytes]", Connection]:
    """Run ``python -m module FD PARENT arguments...`` as a group's leader; return it with our end of its pipe."""
    ours, theirs = Pipe()
    process = subprocess.Popen(  # noqa: S603 - our own program and arguments
        [sys.executable, "-m", module, str(theirs.fileno()), str(os.getpid()), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        # Where this process found its modules: a Ray worker's path is put together at run time.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,
    )
    theirs.close()
    return process, ours


def die_with(parent: int) -> bool:
    """Bind this process to the one that started it; False where that is gone already."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to handle
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a search that hangs never looks at its orders
    return os.getppid() == parent  # it may have gone before the kernel knew that it matters
