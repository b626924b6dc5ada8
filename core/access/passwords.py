"""Passwords: argon2id, in threads of their own, so that neither the event loop nor memory gives way."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.errors import Fault, InvalidInput, TooMany

MIN_LENGTH = 10
MAX_LENGTH = 128
_AT_ONCE = 2
"""Each takes 19 MiB and some 20 ms of a core."""
_WAITING_MAX = 100


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's first choice
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argon2")
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._nobodys = self._hasher.hash("no account has this password")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn to check a password. Raises ``TooMany`` where too many wait already.

        Who reads how often an account failed inside of it can't be overtaken by more than one other guess.
        """
        if self._waiting >= _WAITING_MAX:
            raise TooMany("many people are logging in just now; try again shortly", 2.0)
        self._waiting += 1
        try:
            async with self._gate:
                yield
        finally:
            self._waiting -= 1

    async def hash(self, password: str) -> str:
        """Return the hash to keep."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def matches(self, kept: str | None, password: str) -> bool:
        """Tell whether the password is the one kept. It takes as long where none is kept."""
        loop = asyncio.get_running_loop()
        right = await loop.run_in_executor(self._threads, self._check, kept or self._nobodys, password)
        return right and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Tell whether the hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def require_strong(password: str, username: str) -> None:
    """Raise ``InvalidInput`` for a password that is too short, too long or the user name (NIST SP 800-63B, 3.1.1)."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        what = f"choose a password of {MIN_LENGTH} to {MAX_LENGTH} characters"
        raise InvalidInput("the password is not long enough", [Fault("/password", what, "out_of_range")])
    if username.casefold() in password.casefold() or len(set(password)) < 4:
        what = "choose a password that does not contain your user name and is not one character over and over"
        raise InvalidInput("the password is too easy to guess", [Fault("/password", what, "weak")])
