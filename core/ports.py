"""What every noun needs from outside: a database and a place for files. Adapters implement these."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from core.ids import SchoolId, UserId

Row = Mapping[str, Any]
"""One row of a result, by column name. jsonb arrives as Python values, uuid as ``UUID``, numeric as ``Decimal``."""


class Transaction(Protocol):
    """One open transaction. Placeholders are ``$1``, ``$2``, ...; values never enter the text of a statement."""

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        """Return all rows of a statement."""

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """Return the first row of a statement, or None."""

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""

    async def execute(self, sql: str, *args: object) -> int:
        """Run a statement and return how many rows it touched."""


class Database(Protocol):
    """Where the records are. Every way in says whose rows it may see; row-level security holds it to that.

    Leaving the block commits; an exception rolls back.
    """

    def tenant(
        self, school_id: SchoolId, *, actor: UserId | None = None, read_only: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that sees one school's rows and no others. The actor is written to audit rows."""

    def dispatch(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that sees outbox, deliveries and in-app notifications of all schools, nothing else."""

    def directory(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that sees schools, users and login tokens of all schools, nothing else."""

    async def ping(self) -> None:
        """Raise ``Unavailable`` when the database does not answer."""


class ObjectStore(Protocol):
    """Where files are. Keys are relative, ``/``-separated and begin with the school's id."""

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store a file whole; a reader sees the old or the new one, never a part."""

    async def put_stream(self, key: str, pieces: AsyncIterator[bytes], content_type: str) -> int:
        """Store a file from its pieces, a few MiB of it in memory at most, and return its size in bytes.

        Where the pieces end in an error, or this is cancelled, nothing is stored: a reader sees what was there before.
        """

    async def get(self, key: str) -> bytes:
        """Return a file. Raises ``NotFound``."""

    def stream(self, key: str) -> AsyncIterator[bytes]:
        """Yield a file in pieces. Raises ``NotFound`` at the first."""

    async def exists(self, key: str) -> bool:
        """Tell whether there is such a file."""

    async def delete(self, key: str) -> None:
        """Remove a file; one that is not there is no error."""

    async def presigned_url(self, key: str, expires_in: timedelta) -> str:
        """Return a link by which a browser gets the file until it expires."""

    async def ping(self) -> None:
        """Raise ``Unavailable`` when the store does not answer."""


KEPT_FOR = timedelta(days=30)
"""How long a store keeps what expires."""


def expires(key: str) -> bool:
    """Tell whether a store removes a file by itself after ``KEPT_FOR``: what is printed can be printed anew."""
    return key.partition("/")[2].startswith("reports/")


class ExpiringFiles(Protocol):
    """A store that removes what has expired."""

    async def expire(self) -> int:
        """Remove what has expired, or see to it that the store does so by itself; return how many were removed."""


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file of this machine that a link names."""

    place: Path
    content_type: str


class SignedFiles(Protocol):
    """A store whose links lead back to this system, so that a route must answer them."""

    def open_signed(self, key: str, expires: int, signature: str) -> SignedFile:
        """Return the file a link names. Raises ``NotPermitted`` for a link that is not ours, or ``NotFound``."""
