"""The library of kernels: built once, loaded without its compiler, called only with what it takes."""

import subprocess
import sys
from ctypes import ArgumentError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.timetable.solvers import kernels
from core.timetable.solvers.native import ejecting, state
from core.timetable.solvers.native import library as loading
from core.timetable.solvers.native.library import code_of, library


def test_a_racer_loads_neither_the_compiler_nor_the_rules() -> None:
    """A process that searches with kernels imports no numba, and none of what checks a timetable."""
    names = subprocess.run(
        [sys.executable, "-c", _SEARCHING], capture_output=True, check=True, text=True, timeout=120
    ).stdout.split()
    assert "llvmlite" in names
    assert {"numba", "pydantic", "ortools", "pandas"}.isdisjoint(names)


_SEARCHING = """
import sys
import core.timetable.child
from core.timetable.solvers.native import EjectionChain
from core.timetable.solvers.native.library import library
library().address("ejecting_chain")
print(*sys.modules)
"""


def test_what_a_kernel_does_not_take_is_refused() -> None:
    """An array of another type, or one with gaps, is an error in Python and not a wrong address in a kernel."""
    whole, gaps = np.zeros(ejecting.NUMBERS, np.int64), np.zeros(2 * ejecting.NUMBERS, np.int64)[::2]
    assert ejecting.is_trapped(whole) is False
    wrongs: tuple[Any, ...] = (whole.astype(np.int32), gaps, whole.astype(np.float64))
    for wrong in wrongs:
        with pytest.raises(ArgumentError):
            ejecting.is_trapped(wrong)
    with pytest.raises(TypeError):
        state.save(whole)  # type: ignore[call-arg]  # too few are what is tested


def test_a_kernel_that_is_not_there_is_named() -> None:
    """The address of an unknown kernel is an error and not a null."""
    with pytest.raises(LookupError, match="state_none"):
        library().address("state_none")


def test_a_broken_library_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was cut off, or was written by something else, is not run; one is built in its place."""
    good = kernels.library_file()
    assert good is not None
    library()
    file = tmp_path / "kernels.o"
    file.write_bytes(good.read_bytes()[:-1])
    assert code_of(file) is None
    assert code_of(tmp_path / "none") is None
    monkeypatch.setattr(loading, "library_file", lambda: file)
    monkeypatch.setattr(loading, "build", lambda to: to.write_bytes(good.read_bytes()))
    assert loading.library.__wrapped__().address("state_load")
    assert code_of(file) == code_of(good)
