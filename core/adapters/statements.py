"""Measures statements by table and operation, and traces them where a trace is under way."""

import re
from functools import lru_cache
from time import perf_counter
from types import TracebackType
from typing import Any

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span

from core.telemetry import DB_QUERY_DURATION, tracer

_CHANGE = re.compile(
    r"\b(INSERT)\s+INTO\s+(\w+)|\b(UPDATE)\s+(?!SKIP\b|OF\b)(\w+)\s|\b(DELETE)\s+FROM\s+(\w+)", re.IGNORECASE
)
# What is followed by a bracket is a function, such as unnest.
_READ = re.compile(r"\b(SELECT)\b.*?\b(?:FROM|JOIN)\s+(?:LATERAL\s+)?(\w+)\b(?!\s*\()", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*")


@lru_cache(maxsize=4096)
def described(sql: str) -> tuple[str, str]:
    """Return the table and the operation of a statement: the first it changes, else the first it reads."""
    text = _COMMENT.sub("", sql)
    # The names of common table expressions are no tables.
    own = {name.lower() for name in re.findall(r"(\w+)(?:\s*\([\w\s,]*\))?\s+AS\s+(?:NOT\s+MATERIALIZED\s+)?\(", text)}
    for pattern in (_CHANGE, _READ):
        for found in pattern.finditer(text):
            operation, table = (group for group in found.groups() if group)
            if table.lower() not in own:
                return table.lower(), operation.lower()
    return "none", (text.split(maxsplit=1) or ["none"])[0].lower()


@lru_cache(maxsize=4096)
def _figure_of(sql: str) -> Any:
    return DB_QUERY_DURATION.labels(*described(sql))


class Measured:
    """Measures and traces the statement that runs inside the block."""

    __slots__ = ("_began", "_span", "_sql")

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._span: Span | None = None

    def __enter__(self) -> None:
        if get_current_span().is_recording():
            table, operation = described(self._sql)
            # The text of a statement holds no values: they are always parameters.
            attributes = {
                "db.system.name": "postgresql",
                "db.operation.name": operation,
                "db.collection.name": table,
                "db.query.text": self._sql,
            }
            self._span = tracer.start_span(f"{operation} {table}", kind=SpanKind.CLIENT, attributes=attributes)
        self._began = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        _figure_of(self._sql).observe(perf_counter() - self._began)
        if self._span is not None:
            if kind is not None:
                self._span.set_status(Status(StatusCode.ERROR, kind.__name__))
            self._span.end()
