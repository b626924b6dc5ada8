"""PostgreSQL through asyncpg. Each way in takes its own role, so that row-level security holds whatever is asked."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
from asyncpg.exceptions._base import DataError as UnfitArgument  # the public DataError is the server's alone

from core.adapters.statements import Measured
from core.errors import Broken, Conflict, InvalidInput, Unavailable
from core.ids import SchoolId, UserId
from core.ports import Row, Transaction

_UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
                asyncpg.TooManyConnectionsError, asyncpg.InterfaceError, asyncpg.AdminShutdownError)  # fmt: skip


class AsyncpgTransaction:
    """One open transaction on one connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        """Return all rows of a statement."""
        with Measured(sql):
            return await self._connection.fetch(sql, *args)  # type: ignore[no-any-return]  # asyncpg has no types

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """Return the first row of a statement, or None."""
        with Measured(sql):
            return await self._connection.fetchrow(sql, *args)  # type: ignore[no-any-return]  # asyncpg has no types

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        with Measured(sql):
            return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> int:
        """Run a statement and return how many rows it touched."""
        with Measured(sql):
            tag: str = await self._connection.execute(sql, *args)
        last = tag.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0


class PostgresDatabase:
    """Pools of connections, one a role, each opened at first use in the loop that uses it."""

    def __init__(self, url: str, *, application_name: str, pool_max: int = 5, connect_timeout_s: float = 10) -> None:
        self._url = url
        self._name = application_name
        self._pool_max = pool_max
        self._timeout_s = connect_timeout_s
        self._pools: dict[str, Any] = {}
        self._opening = asyncio.Lock()

    def tenant(
        self, school_id: SchoolId, *, actor: UserId | None = None, read_only: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that sees one school's rows and no others."""
        return self._transaction("schoolos_app", str(school_id), str(actor or ""), read_only=read_only)

    def dispatch(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that sees outbox, deliveries and in-app notifications of all schools."""
        return self._transaction("schoolos_dispatch")

    def directory(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that sees schools, users and login tokens of all schools."""
        return self._transaction("schoolos_directory")

    async def ping(self) -> None:
        """Raise ``Unavailable`` when the database does not answer."""
        async with self.directory() as tx:
            await tx.fetchval("SELECT 1")

    async def close(self) -> None:
        """Close every connection."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.close()

    async def _pool(self, role: str) -> Any:
        async with self._opening:
            if role not in self._pools:
                self._pools[role] = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=self._pool_max,
                    timeout=self._timeout_s,
                    command_timeout=60,
                    init=_read_json,
                    reset=_keep,
                    server_settings={"application_name": self._name, "role": role, "timezone": "UTC"},
                )
            return self._pools[role]

    @asynccontextmanager
    async def _transaction(
        self, role: str, school: str = "", actor: str = "", *, read_only: bool = False
    ) -> AsyncIterator[Transaction]:
        try:
            pool = await self._pool(role)
            async with (
                pool.acquire(timeout=self._timeout_s) as connection,
                connection.transaction(readonly=read_only),
            ):
                if school:
                    await connection.execute(
                        "SELECT set_config('app.school_id', $1, true), set_config('app.actor_id', $2, true)",
                        school,
                        actor,
                    )
                yield AsyncpgTransaction(connection)
        except (asyncpg.DataError, UnfitArgument) as error:
            raise InvalidInput("a value is too large, or holds a character that can't be kept (such as NUL)") from error
        except _UNREACHABLE as error:
            raise Unavailable("the database does not answer; try again shortly", 5.0) from error
        except asyncpg.UniqueViolationError as error:
            raise Conflict(f"there is one already with the same {_columns(error)}") from error
        except asyncpg.ForeignKeyViolationError as error:
            raise Conflict(_reference(error)) from error
        except asyncpg.SerializationError as error:
            raise Unavailable("two changes met; try again", 1.0) from error
        except asyncpg.InsufficientPrivilegeError as error:
            raise Broken(f"a statement reached past its role: {error}") from error


def _columns(error: asyncpg.IntegrityConstraintViolationError) -> str:
    """Return the columns of a violated key in words, without the school, which is the same anyway, and any value."""
    key = re.match(r"Key \(([^)]*)\)=", error.detail or "")
    names = [name.strip().replace("_id", "").replace("_", " ") for name in key[1].split(",")] if key else []
    return ", ".join(name for name in names if name != "school") or "key"


def _reference(error: asyncpg.ForeignKeyViolationError) -> str:
    if "still referenced" in (error.detail or ""):
        return f"it is still used in {(error.table_name or 'other records').replace('_', ' ')}; remove that first"
    return f"there is no such {_columns(error)}"


async def _keep(_: Any) -> None:
    # In place of asyncpg's RESET ALL, a round trip after each transaction: nothing here outlives a transaction but the
    # role, which the connection has from its start.
    return None


async def _read_json(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
