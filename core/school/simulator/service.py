"""Making demo schools: one transaction a school, one school after the other."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain

from core.clock import Clock, local_date
from core.errors import Conflict, Fault, InvalidInput
from core.ids import SchoolId
from core.ports import Database
from core.school.simulator import store
from core.school.simulator.batches import Batch, Kind
from core.school.simulator.billing import billing_batches
from core.school.simulator.demo_sheet import OpenSheet, open_sheet
from core.school.simulator.history import history_batches
from core.school.simulator.identity import Identity, ids_of
from core.school.simulator.records import record_batches
from core.school.simulator.report_entries import report_batches
from core.school.simulator.simulation import Recipe, simulate
from core.school.simulator.users import Login, accounts, logins, user_batch
from core.school.simulator.worlds import world_named
from core.school.simulator.write import write
from core.telemetry import get_logger

log = get_logger("simulator")

TIME_ZONE = "Africa/Lagos"
FEWEST, MOST = 36, 5_000
"""Students on the roll: fewer leave some classes empty, more have too few arms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSchool:
    """A demo school that is there."""

    school_id: SchoolId
    code: str
    logins: tuple[Login, ...]
    password: str
    """Of each of these logins."""
    counts: Mapping[str, int]
    seconds: float
    created: bool
    """False where it was there already."""
    open_sheet: OpenSheet
    """A draft of the current term that waits for its workbook."""


class DemoSchools:
    """Makes schools to try things on."""

    def __init__(self, db: Database, clock: Clock, hash_password: Callable[[str], Awaitable[str]]) -> None:
        self._db = db
        self._clock = clock
        self._hash_password = hash_password

    async def create(
        self,
        *,
        world: str = "steady",
        seed: int = 1,
        code: str = "kcl",
        students: int = 600,
        password: str | None = None,
    ) -> DemoSchool:
        """Return the demo school of this code, made now unless it is there.

        The logins get the password, or a new one where none is given, also in a school that was there already. Raises
        ``InvalidInput`` for an unknown world or a size out of bounds, ``Conflict`` where the code is another school's.
        """
        begun = time.perf_counter()
        _require_size(students)
        recipe = Recipe(world=world_named(world), seed=seed, code=code, students=students, today=self._today())
        there = await store.school_of_code(self._db, code)
        if there is not None:
            recipe = await self._recipe_of(there, recipe)
        identity = Identity(await asyncio.to_thread(simulate, recipe))
        password = password or secrets.token_urlsafe(9)
        counts = await (self._write if there is None else self._renew)(identity, password)
        demo = _demo(identity, password, counts, time.perf_counter() - begun, created=there is None)
        log.info("demo_school_ready", school_id=str(demo.school_id), created=demo.created, seconds=demo.seconds)
        return demo

    def _today(self) -> date:
        return local_date(self._clock.now(), TIME_ZONE)

    async def _recipe_of(self, there: SchoolId, recipe: Recipe) -> Recipe:
        """Return the recipe as it was when the school was made. Raises ``Conflict`` for one of another recipe."""
        async with self._db.tenant(there, read_only=True) as tx:
            began = await store.first_day_of_current_term(tx)
        if began is None or school_id_of(recipe) != there:
            raise Conflict(
                f"there is another school of the code {recipe.code}; choose another code, or the world, seed and "
                "number of students it was made with"
            )
        return replace(recipe, today=began)

    async def _write(self, identity: Identity, password: str) -> dict[str, int]:
        school_id = school_id_of(identity.school.recipe)
        password_hash = await self._hash_password(password)
        async with self._db.tenant(school_id) as tx:
            batches = chain(all_batches(identity, password_hash), report_batches(identity))
            counts = await write(tx, school_id, batches)
        return {table: counts.get(table, 0) for table in store.COUNTED}

    async def _renew(self, identity: Identity, password: str) -> dict[str, int]:
        usernames = [login.username for login in logins(identity)]
        password_hash = await self._hash_password(password)
        async with self._db.tenant(school_id_of(identity.school.recipe)) as tx:
            await store.set_password(tx, usernames, password_hash)
            return await store.row_counts(tx)


def _require_size(students: int) -> None:
    if not FEWEST <= students <= MOST:
        what = f"choose {FEWEST} to {MOST:,} students"
        raise InvalidInput(what, [Fault("/students", what, "out_of_range")])


def all_batches(identity: Identity, password_hash: str | None = None) -> Iterator[Batch]:
    """Yield every row of a simulated school, in an order that every reference allows."""
    users = user_batch(identity, accounts(identity), password_hash)
    return chain(record_batches(identity), [users], history_batches(identity), billing_batches(identity))


def school_id_of(recipe: Recipe) -> SchoolId:
    """Return the id of the school of a recipe; it does not depend on the day."""
    return SchoolId(ids_of(recipe).of(Kind.SCHOOL))


def _demo(identity: Identity, password: str, counts: Mapping[str, int], seconds: float, *, created: bool) -> DemoSchool:
    return DemoSchool(
        school_id=school_id_of(identity.school.recipe),
        code=identity.code,
        logins=logins(identity),
        password=password,
        counts=counts,
        seconds=round(seconds, 2),
        created=created,
        open_sheet=open_sheet(identity),
    )
