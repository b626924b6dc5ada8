"""Marks kernels, and calls what was compiled of them without loading the compiler.

Numba takes two seconds to import and makes code that tests each index; what ``building.py`` has it make of these
functions ahead of time works on bare pointers, is loaded in a tenth of a second, and runs three times as fast.
"""

from collections.abc import Callable, Iterator
from ctypes import CFUNCTYPE, c_bool, c_int64
from dataclasses import dataclass
from inspect import signature
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from core.timetable.solvers.native.library import library

P = ParamSpec("P")
R = TypeVar("R")


def _array(kind: Any) -> Any:
    return np.ctypeslib.ndpointer(kind, ndim=1, flags="C_CONTIGUOUS")


PARTS: list[Any] = []
"""All that is compiled: functions, and kernels."""
_PASSED: list[tuple[Any, str, Any]] = [
    (NDArray[np.int64], "int64*", _array(np.int64)),
    (NDArray[np.uint64], "uint64*", _array(np.uint64)),
    (NDArray[np.float64], "float64*", _array(np.float64)),
    (int, "int64", c_int64),
    (bool, "boolean", c_bool),
    (None, "void", None),
]
"""What kernels take and return: in Python, for the compiler, and for the call."""


@dataclass(eq=False)
class Kernel:
    """A function in machine code that Python calls."""

    function: Callable[..., Any]
    _call: Any = None

    @property
    def symbol(self) -> str:
        """What it is called in the library."""
        return f"{self.function.__module__.rpartition('.')[2]}_{self.function.__name__}"

    @property
    def types(self) -> list[str]:
        """The compiler's names of what it returns, and then takes."""
        return [name for name, _ in self._passed()]

    def __call__(self, *arguments: Any) -> Any:
        """Call it; the arrays must be what the signature says. Other threads run meanwhile."""
        if self._call is None:
            self._call = CFUNCTYPE(*(kind for _, kind in self._passed()))(library().address(self.symbol))
        return self._call(*arguments)

    def _passed(self) -> Iterator[tuple[str, Any]]:
        declared = signature(self.function)
        wanted = [declared.return_annotation, *(one.annotation for one in declared.parameters.values())]
        return (next((name, kind) for of, name, kind in _PASSED if of == one) for one in wanted)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Have a kernel compiled that Python calls; callers see its own signature."""
    kernel = Kernel(function)
    PARTS.append(kernel)
    return cast("Callable[P, R]", kernel)


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """Have compiled what only kernels call, as a part of theirs."""
    PARTS.append(function)
    return function
