"""How kernels are compiled; ``kernels.py`` says where what was compiled is kept."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba

from core.timetable.solvers.kernels import kernel_folder

P = ParamSpec("P")
R = TypeVar("R")


config: Any = numba.config
jit: Any = numba.njit


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile what Python calls, at its first call; callers see its own signature. What is compiled is kept."""
    kernel: Callable[P, R] = jit(cache=CACHED, nogil=True, error_model="numpy")(function)
    return kernel


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """Compile what only kernels call, as a part of theirs: without a door from Python it takes half as long."""
    part: Callable[P, R] = jit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(
        function
    )
    return part


FOLDER = kernel_folder()
"""Where this process keeps what it compiles; None where it can't, and compiles anew each time."""
CACHED = FOLDER is not None
if FOLDER is not None:
    config.CACHE_DIR = str(FOLDER)
