"""Whether the bytes of an .xlsx may be opened at all. Everything here runs before a workbook library sees them.

An .xlsx is a ZIP of XML parts (ECMA-376 part 2). What is refused, each with its own code: too large, not a workbook,
an old or encrypted one, a bomb (by members, by size, by ratio, by elements), XML with a DTD, macros, links outward.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn
from xml.parsers import expat

from core.errors import Fault, InvalidInput

_OLE = bytes.fromhex("D0CF11E0A1B11AE1")
"""First bytes of a compound file: an .xls, or the envelope of an encrypted .xlsx (MS-CFB 2.2)."""
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_MANIFEST = "[Content_Types].xml"
_PIECE_BYTES = 64 * 1024
_DEEPEST = 100
"""Elements inside one another; a real workbook has under 20."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a stranger's file is worked through. A school of 2,000 students stays under a tenth of each."""

    file_bytes: int = 5 * 1024 * 1024
    unpacked_bytes: int = 64 * 1024 * 1024
    ratio: int = 250
    """Unpacked to packed, past 4 MiB unpacked; spreadsheets compress 5 to 50 times, deflate's utmost is 1,032."""
    members: int = 500
    elements: int = 2_000_000
    sheets: int = 30
    rows: int = 20_000
    columns: int = 200


DEFAULT_LIMITS = Limits()


def refuse(code: str, what: str) -> NoReturn:
    """Raise ``InvalidInput`` about a file as a whole."""
    raise InvalidInput(what, [Fault("/file", what, code)])


def open_package(content: bytes, limits: Limits = DEFAULT_LIMITS) -> zipfile.ZipFile:
    """Return the ZIP of a workbook that is safe to read. Raises ``InvalidInput``."""
    if len(content) > limits.file_bytes:
        refuse("too_large", f"the file is larger than {limits.file_bytes // 1024:,} kB, the most that is read")
    _refuse_old_and_foreign(content)
    try:
        package = zipfile.ZipFile(io.BytesIO(content))
        _check_members(package, len(content), limits)
        _check_contents(package, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        what = "the file is damaged: it can't be unpacked; open it in your spreadsheet program and save it again"
        raise InvalidInput(what, [Fault("/file", what, "not_a_workbook")]) from error
    return package


def _refuse_old_and_foreign(content: bytes) -> None:
    if content.startswith(_OLE):
        if _ENCRYPTED_STREAM in content:
            refuse("encrypted", "the workbook is protected by a password; save it without one")
        refuse("legacy_xls", "this is an old .xls file; save it as .xlsx")
    if not content.startswith(b"PK\x03\x04"):
        refuse("not_a_workbook", "this is no Excel workbook; save it as .xlsx")


def _check_members(package: zipfile.ZipFile, packed: int, limits: Limits) -> None:
    members = package.infolist()
    names = {member.filename.lower() for member in members}
    if len(members) > limits.members or len(names) < len(members):
        refuse("zip_bomb", f"the workbook has too many parts, or the same one twice; {limits.members} is the most")
    if any(member.flag_bits & 0x1 for member in members):
        refuse("encrypted", "the workbook is protected by a password; save it without one")
    _check_size(sum(member.file_size for member in members), packed, limits)
    _check_names(names)


def _check_size(unpacked: int, packed: int, limits: Limits) -> None:
    too_dense = unpacked > 4 * 1024 * 1024 and unpacked > packed * limits.ratio
    if unpacked > limits.unpacked_bytes or too_dense:
        refuse("zip_bomb", "the workbook unpacks to far more than a school's spreadsheet holds; it is not opened")


def _check_names(names: set[str]) -> None:
    if any(name.endswith("vbaproject.bin") or "/macrosheets/" in name or "/activex/" in name for name in names):
        refuse("macro", "the workbook holds macros; save it as .xlsx, which has none")
    if any("/externallinks/" in name or name.endswith("/connections.xml") for name in names):
        refuse("external_link", "the workbook draws data from other files; break the links and save it again")
    if _MANIFEST.lower() not in names:
        refuse("not_a_workbook", "this is a ZIP but no .xlsx workbook; save the spreadsheet as .xlsx")


def _check_contents(package: zipfile.ZipFile, limits: Limits) -> None:
    left_bytes, left_elements = limits.unpacked_bytes, limits.elements
    for member in package.infolist():
        part = _Part(member.filename, left_elements)
        for piece in _pieces(package, member):
            left_bytes -= len(piece)
            if left_bytes < 0:
                refuse("zip_bomb", "the workbook unpacks to more than it declares; it is not opened")
            part.feed(piece)
        part.close()
        left_elements = part.left_elements
    manifest = package.read(_MANIFEST)
    if b"macroEnabled" in manifest:
        refuse("macro", "the workbook is of a kind that holds macros (.xlsm); save it as .xlsx")
    if b"spreadsheetml" not in manifest or b"main+xml" not in manifest:
        refuse("not_a_workbook", "this is no .xlsx workbook; save the spreadsheet as .xlsx")


def _pieces(package: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with package.open(member) as source:
        while piece := source.read(_PIECE_BYTES):
            yield piece


class _Part:
    """One member on its way through an XML parser that builds nothing and stops at a DTD."""

    def __init__(self, name: str, left_elements: int) -> None:
        self.left_elements = left_elements
        self._must_parse = name.lower().endswith((".xml", ".rels"))
        self._depth = 0
        self._parser: expat.XMLParserType | None = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse_dtd
        self._parser.StartElementHandler = self._enter
        self._parser.EndElementHandler = self._leave

    def feed(self, piece: bytes, *, final: bool = False) -> None:
        """Parse on. What is no XML, an image say, is let be: no reader would get further with it."""
        if self._parser is None:
            return
        try:
            self._parser.Parse(piece, final)
        except expat.ExpatError:
            if self._must_parse:
                refuse("not_a_workbook", "the workbook is damaged: a part of it is no XML; save it again")
            self._parser = None

    def close(self) -> None:
        """Parse the end."""
        self.feed(b"", final=True)

    def _refuse_dtd(self, *_: object) -> None:
        refuse("xml_entities", "the workbook declares XML entities, which no spreadsheet program writes; save it again")

    def _enter(self, *_: object) -> None:
        self._depth += 1
        self.left_elements -= 1
        if self.left_elements < 0 or self._depth > _DEEPEST:
            refuse("zip_bomb", "the workbook holds far more cells than a school's spreadsheet; it is not opened")

    def _leave(self, *_: object) -> None:
        self._depth -= 1
