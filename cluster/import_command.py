"""``schoolos import``: a school's spreadsheets into the database of the running system, or of the one that is named."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cluster.running import running_settings
from cluster.settings import Settings
from cluster.wiring import open_database, open_objects
from core.access.principal import Principal, Role, scopes_of
from core.access.store import find_login
from core.clock import SystemClock
from core.errors import InvalidInput, NotFound
from core.ids import ImportId, SchoolId, UserId
from core.ports import Database, Transaction
from core.school.importing import store
from core.school.importing.report import ImportReport, ImportState
from core.school.importing.service import Imports, UploadedFile
from core.school.importing.template import template as template_workbook

_OPERATOR = UserId(UUID(int=0))
"""Who acts in the records where nobody is named: whoever has this machine, and no account of the school."""
_MOST_LINES = 40


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--school", "code", help="The school's code; may be left out where there is one school.")
@click.option("--as", "username", help="Import as this account, with its rights; its name stands in the records.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--undo", type=click.UUID, help="Take back the import of this id.")
@click.option("--template", type=click.Path(dir_okay=False, path_type=Path), help="Write the workbook to fill in.")
def command(
    *,
    files: tuple[Path, ...],
    code: str | None,
    username: str | None,
    dry_run: bool,
    undo: UUID | None,
    template: Path | None,
) -> None:
    """Set a school up from an .xlsx workbook, or from .csv files named for their sheets.

    Everything is written or nothing. Where rows have faults, a copy of the file with each marked is left beside it.
    """
    if [bool(files), undo is not None, template is not None].count(True) != 1:
        raise InvalidInput("name files to import, or one of --undo ID and --template OUT.xlsx; see --help")
    if template is not None:
        template.write_bytes(template_workbook())
        click.echo(f"wrote {template}")
        return
    asyncio.run(_work(running_settings(), files, code, username, dry_run=dry_run, undo=undo))


async def _work(
    settings: Settings,
    files: Sequence[Path],
    code: str | None,
    username: str | None,
    *,
    dry_run: bool,
    undo: UUID | None,
) -> None:
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name="schoolos import"))
        objects = await stack.enter_async_context(open_objects(settings))
        imports, operator = Imports(db, SystemClock(), objects), await _operator(db, code, username)
        if undo is not None:
            report = await imports.undo(operator, import_id=ImportId(undo))
        else:
            uploads = [UploadedFile.of(file.name, await asyncio.to_thread(file.read_bytes)) for file in files]
            report = await imports.run(operator, files=uploads, dry_run=dry_run)
        show(report, Console(highlight=False))
        if report.state is ImportState.REFUSED:
            marked = files[0].with_name(f"{files[0].stem} - what to mend.xlsx")
            marked.write_bytes(await imports.annotated(operator, import_id=report.id))
            raise InvalidInput(f"nothing was imported; {marked} shows each of the {report.fault_count:,} faults")


async def _operator(db: Database, code: str | None, username: str | None) -> Principal:
    """Return who imports: an account of the school, else whoever has this machine."""
    async with db.directory() as tx:
        school, code = await _school(tx, code)
        login = await find_login(tx, code, username.casefold()) if username else None
    if username is None:
        roles = frozenset({Role.SCHOOL_ADMIN})
        return Principal(user_id=_OPERATOR, school_id=school, roles=roles, scopes=scopes_of(roles))
    if login is None or not login.account.active:
        raise NotFound(f"the school {code} has no account {username} that may log in")
    return login.account.principal()


async def _school(tx: Transaction, code: str | None) -> tuple[SchoolId, str]:
    found = await store.find_schools(tx, code)
    if not found:
        raise NotFound(f"there is no school {code or 'yet'}; add it by POST /api/platform/schools, or `schoolos demo`")
    if len(found) > 1:
        raise InvalidInput(f"there are several schools, {found[0][1]} the first; say which by --school CODE")
    return found[0]


def show(report: ImportReport, console: Console) -> None:
    """Print counts, differences, warnings and faults for people to read."""
    table = Table("sheet", "new", "changed", "unchanged", "faulty", title=f"Import {report.id}: {report.state}")
    for count in report.counts:
        table.add_row(count.sheet, *map(str, (count.new, count.changed, count.unchanged, count.faulty)))
    console.print(table)
    for row in [row for row in report.rows if row.fields][:_MOST_LINES]:
        changes = "; ".join(f"{change.field}: {change.old or '-'} -> {change.new or '-'}" for change in row.fields)
        console.print(f"  {escape(row.sheet)} row {row.row}: {escape(changes)}")
    for word, notes in (("warning", report.warnings), ("fault", report.faults)):
        for note in notes[:_MOST_LINES]:
            console.print(f"  {word} {escape(note.where)}: {escape(note.what)}")
        if len(notes) > _MOST_LINES:
            console.print(f"  ... and {len(notes) - _MOST_LINES:,} more")
