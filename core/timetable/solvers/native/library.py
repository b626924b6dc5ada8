"""The library of kernels: machine code for this kind of processor, loaded as it is."""

import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import llvmlite.binding

from core.errors import Broken
from core.timetable.solvers.kernels import build, library_file

llvm: Any = llvmlite.binding


class Library:
    """Kernels in memory."""

    def __init__(self, code: bytes) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine())
        code_file = llvm.ObjectFileRef.from_data(code)
        self._engine.add_object_file(code_file)
        self._engine.finalize_object()

    def address(self, symbol: str) -> int:
        """Return where a kernel begins."""
        found: int = self._engine.get_function_address(symbol)
        if not found:
            raise LookupError(f"the library has no kernel {symbol}")
        return found


@cache
def library() -> Library:
    """Return the library, which is built first where nobody has done so."""
    file = library_file()
    if file is not None:
        return _at(file)
    with tempfile.TemporaryDirectory() as folder:
        return _at(Path(folder) / "kernels.o")


def _at(file: Path) -> Library:
    code = code_of(file)
    if code is None:
        build(file)
        code = code_of(file)
    if code is None:
        raise Broken(f"the kernels could not be compiled to {file}")
    return Library(code)


def sealed(code: bytes) -> bytes:
    """Return what is kept of machine code: its digest before it."""
    return sha256(code).digest() + code


def code_of(file: Path) -> bytes | None:
    """Return the machine code in a file; None where there is none or it is broken: the loader would not survive it."""
    data = file.read_bytes() if file.exists() else b""
    code = data[sha256().digest_size :]
    return code if code and sealed(code) == data else None


@cache
def machine() -> Any:
    """Return LLVM's idea of the machine. Without wishes for a processor, the code runs on any of its kind."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(opt=3, codemodel="jitdefault", jit=True)
