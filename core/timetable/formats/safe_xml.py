"""Reads XML from strangers: no entities of their own, no document type, no network, bounded in size and depth."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from core.errors import Fault, InvalidInput

LIMIT_BYTES = 20_000_000
"""The largest archive of one school in public collections has some 8 MB."""
LIMIT_DEPTH = 40
LIMIT_ELEMENTS = 1_000_000


@dataclass(slots=True)
class Element:
    """One element, with the line on which it begins."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list["Element"] = field(default_factory=list)
    text: str = ""
    """What stands before the first child, without the space around it."""
    spelt: str = ""
    """The same as the file has it: to some programs a name that ends with a space is another than one that does not."""

    def get(self, name: str) -> str | None:
        """Return an attribute."""
        return self.attributes.get(name)

    def child(self, tag: str) -> "Element | None":
        """Return the first child of that name."""
        return next((child for child in self.children if child.tag == tag), None)

    def all(self, *path: str) -> Iterator["Element"]:
        """Yield the elements at the end of a path of names, in the order of the file."""
        if not path:
            yield self
            return
        for child in self.children:
            if child.tag == path[0]:
                yield from child.all(*path[1:])

    def text_of(self, tag: str, default: str = "") -> str:
        """Return the text of the first child of that name."""
        child = self.child(tag)
        return default if child is None else child.text


def read_xml(data: bytes, *, limit_bytes: int = LIMIT_BYTES) -> Element:
    """Return the root. Raises ``InvalidInput`` with the line of what is wrong."""
    if len(data) > limit_bytes:
        what = f"The file has {len(data):,} bytes; at most {limit_bytes:,} are read."
        raise InvalidInput(what, [Fault("", what, code="too_large")])
    return _Tree().read(data)


class _Tree:
    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._open: list[Element] = []
        self._root: Element | None = None
        self._count = 0

    def read(self, data: bytes) -> Element:
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            raise self._fault(f"This is not XML: {expat.ErrorString(error.code)}", "invalid") from error
        except (LookupError, ValueError) as error:
            raise self._fault(f"This is not XML that can be read: {error}", "invalid") from error
        if self._root is None:
            raise self._fault("There is nothing in this file", "missing")
        return self._root

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, self._parser.CurrentLineNumber)
        self._count += 1
        if len(self._open) >= LIMIT_DEPTH or self._count > LIMIT_ELEMENTS:
            raise self._fault("This is nested too deeply, or has too many elements", "too_large")
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)

    def _end(self, _tag: str) -> None:
        element = self._open.pop()
        element.spelt, element.text = element.text, element.text.strip()

    def _characters(self, text: str) -> None:
        if not self._open[-1].children:
            self._open[-1].text += text

    def _doctype(self, *_declared: object) -> None:
        raise self._fault("A document type is not read here: take the <!DOCTYPE ...> out", "invalid")

    def _fault(self, what: str, code: str) -> InvalidInput:
        line = self._parser.CurrentLineNumber
        told = f"{what} (line {line})."
        return InvalidInput(told, [Fault(f"line {line}", told, code=code)])
