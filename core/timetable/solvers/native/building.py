"""Compiles the kernels: ``python -m core.timetable.solvers.native.building FILE``. Nothing else loads the compiler.

Numba compiles a call among kernels where the name means something it has compiled, so each name is rebound to that
first; this process therefore ends with it.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["NUMBA_CPU_NAME"] = "generic"  # read when it is imported: the code is kept for any processor of a kind

import numba

from core.timetable.solvers.native import annealing, ejection  # noqa: F401 - import all modules with kernels
from core.timetable.solvers.native.compiled import PARTS, Kernel
from core.timetable.solvers.native.library import llvm, machine, sealed

_compiler: Any = numba
_OPTIONS = {"error_model": "numpy"}
_PACKAGE = __package__ or ""
_TRAP = """
define void @{}() {{
  call void @llvm.trap()
  unreachable
}}
declare void @llvm.trap()
"""
"""Instead of what an error is raised with: no kernel raises any, and what would do it stays with the compiler."""
_LENT = frozenset({"exp", "sqrt"})
"""What a kernel may call of the system's own libraries."""


def build() -> bytes:
    """Return all kernels as an object file."""
    _rebind()
    library = llvm.parse_assembly("")
    for kernel in [part for part in PARTS if isinstance(part, Kernel)]:
        library.link_in(_compiled(kernel))
    for name in [one.name for one in library.functions if one.is_declaration]:
        if name not in _LENT and not name.startswith("llvm."):
            library.link_in(llvm.parse_assembly(_TRAP.format(name)))
    code: bytes = machine().emit_object(library)
    return code


def _rebind() -> None:
    """Let every name of a kernel or a part mean what the compiler can call."""
    jit = _compiler.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)
    known = {id(part): jit(part.function if isinstance(part, Kernel) else part) for part in PARTS}
    for module in [module for name, module in sys.modules.items() if name.startswith(_PACKAGE)]:
        for name, value in list(vars(module).items()):
            if id(value) in known:
                setattr(module, name, known[id(value)])


def _compiled(kernel: Kernel) -> Any:
    result, *arguments = [_type(name) for name in kernel.types]
    callback = _compiler.cfunc(result(*arguments), **_OPTIONS)(kernel.function)
    module = llvm.parse_assembly(callback.inspect_llvm())
    module.get_function(callback.native_name).name = kernel.symbol
    return module


def _type(name: str) -> Any:
    known = _compiler.types
    return known.CPointer(_type(name[:-1])) if name.endswith("*") else getattr(known, name)


def main(file: Path) -> None:
    """Build, and put the file in its place when it is whole."""
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as part:
        part.write(sealed(build()))
    Path(part.name).replace(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
