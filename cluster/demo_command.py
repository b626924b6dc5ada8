"""``schoolos demo``: simulated schools in the database of the running system, or of the one that is named."""

import asyncio
import secrets

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cluster.running import running_settings
from cluster.settings import Settings
from cluster.state import StateFolder
from cluster.wiring import open_database
from core.access.passwords import Passwords
from core.clock import SystemClock
from core.school.simulator.service import FEWEST, MOST, DemoSchool, DemoSchools
from core.school.simulator.worlds import WORLDS

FIRST_CODE = "kcl"


@click.command()
@click.option("--schools", type=click.IntRange(1, 1_000), default=1, show_default=True, help="How many schools.")
@click.option("--students", type=click.IntRange(FEWEST, MOST), default=600, show_default=True, help="In each school.")
@click.option("--world", type=click.Choice(sorted(WORLDS)), default="steady", show_default=True, help="Their ways.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same gives the same.")
def command(*, schools: int, students: int, world: str, seed: int) -> None:
    """Fill the database with simulated schools of three sessions each.

    A school that is there already is left as it is; its demo logins get the demo password again.
    """
    settings = running_settings()
    asyncio.run(_make(settings, schools=schools, students=students, world=world, seed=seed))


def demo_password(settings: Settings) -> str:
    """Return the password of all demo logins of this installation, made at its first use."""
    folder = StateFolder(settings.state_dir)
    folder.prepare()
    return folder.secret("demo-password", lambda: secrets.token_urlsafe(9))


def school_code(number: int) -> str:
    """Return the code of the n-th demo school, from 0."""
    return FIRST_CODE if number == 0 else f"demo-{number + 1:04d}"


async def _make(settings: Settings, *, schools: int, students: int, world: str, seed: int) -> None:
    console, passwords = Console(), Passwords()
    async with open_database(settings, application_name="schoolos demo") as db:
        maker = DemoSchools(db, SystemClock(), passwords.hash)
        for number in range(schools):
            demo = await maker.create(
                world=world,
                seed=seed,
                code=school_code(number),
                students=students,
                password=demo_password(settings),
            )
            console.print(_line(demo))
            if number == 0:
                console.print(login_table(demo))
    passwords.close()


def _line(demo: DemoSchool) -> str:
    counted = ", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in demo.counts.items())
    state = "made" if demo.created else "there already"
    return f"[bold]{demo.code}[/] {state} in {demo.seconds:.1f} s: {counted}"


def login_table(demo: DemoSchool) -> Table:
    """Return who to log in as, for people to read."""
    table = Table("role", "user name", "who", title=f"School {demo.code}, password {escape(demo.password)}")
    for login in demo.logins:
        table.add_row(login.role.replace("_", " "), login.username, login.name)
    return table
