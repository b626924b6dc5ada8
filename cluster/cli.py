"""The command ``schoolos``. Each command's work is imported when it is called, so that ``--help`` is quick."""

import sys
from importlib import import_module

import click

from cluster.outcome import finish
from core.errors import InvalidInput

_LAZY = {
    "demo": ("cluster.demo_command", "Fill the database with simulated schools."),
    "import": ("cluster.import_command", "Set a school up from its own spreadsheets."),
    "timetable": ("cluster.timetable_command", "Solve, check and explain timetables."),
}
"""Commands that live in modules of their own, each as its ``command``."""


class _Commands(click.Group):
    """A group that imports some of its commands only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*super().list_commands(ctx), *_LAZY])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing it where need be."""
        if cmd_name in _LAZY:
            command: click.Command = import_module(_LAZY[cmd_name][0]).command
            return command
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        rows = []
        for name in self.list_commands(ctx):
            if name in _LAZY:
                rows.append((name, _LAZY[name][1]))
            elif (command := super().get_command(ctx, name)) is not None:
                rows.append((name, command.get_short_help_str()))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def schoolos() -> None:
    """Run SchoolOS on this machine."""


@schoolos.command()
@click.option("--detach", is_flag=True, help="Return when the system is up, and leave it running.")
@click.option("--demo/--no-demo", default=True, help="Fill an empty database with a demo school.")
@click.option("--tour/--no-tour", default=True, help="Play marks from a class sheet to the guardians' messages.")
def up(*, detach: bool, demo: bool, tour: bool) -> None:
    """Bring the system up, show it at work, and stay until Ctrl-C."""
    from cluster import up as command  # noqa: PLC0415 - imported when called
    from cluster.detached import up_detached  # noqa: PLC0415 - imported when called
    from cluster.settings import Settings  # noqa: PLC0415 - imported when called

    settings = Settings.from_environment()
    sys.exit(up_detached(settings, demo=demo, tour=tour) if detach else command.up(settings, demo=demo, tour=tour))


@schoolos.command()
def down() -> None:
    """Stop the system, also one that was killed and could not stop itself."""
    from cluster import down as command  # noqa: PLC0415 - imported when called
    from cluster.settings import Settings  # noqa: PLC0415 - imported when called
    from cluster.state import StateFolder  # noqa: PLC0415 - imported when called

    click.echo(command.down(StateFolder(Settings.from_environment().state_dir)))


@schoolos.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(*, as_json: bool) -> None:
    """Show services, actors and memory by process; exit code 1 where the system is not up."""
    from rich.console import Console  # noqa: PLC0415 - imported when called

    from cluster import status as command  # noqa: PLC0415 - imported when called
    from cluster.settings import Settings  # noqa: PLC0415 - imported when called
    from cluster.state import StateFolder  # noqa: PLC0415 - imported when called

    found = command.read_status(StateFolder(Settings.from_environment().state_dir))
    if as_json:
        click.echo(command.as_json(found))
    else:
        command.show(found, Console(highlight=False))
    sys.exit(0 if found.up else 1)


@schoolos.command()
def doctor() -> None:
    """Name what is missing, what listens beyond loopback, and every setting; exit code 1 where action is needed."""
    from rich.console import Console  # noqa: PLC0415 - imported when called

    from cluster.doctor import examine  # noqa: PLC0415 - imported when called
    from cluster.settings import Settings  # noqa: PLC0415 - imported when called

    sys.exit(examine(Settings.from_environment(), Console(highlight=False)))


@schoolos.command()
@click.option("--dry-run", is_flag=True, help="Name what would be applied, and apply nothing.")
def migrate(*, dry_run: bool) -> None:
    """Bring the database's schema up to date; the running system's, or the one SCHOOLOS_DATABASE_URL names."""
    import asyncio  # noqa: PLC0415 - imported when called

    from cluster.migrate import migrate as apply  # noqa: PLC0415 - imported when called
    from cluster.running import running_settings  # noqa: PLC0415 - imported when called

    database = running_settings().database
    url = database.owner_url or database.url
    if url is None:
        raise InvalidInput("there is no database: set SCHOOLOS_DATABASE_URL, or start one with `schoolos up`")
    names = asyncio.run(apply(url.get_secret_value(), dry_run=dry_run))
    click.echo("\n".join(names) or "The schema is up to date.")


def main() -> None:
    """Run the command line."""
    sys.exit(finish(lambda: schoolos.main(prog_name="schoolos")))


if __name__ == "__main__":
    main()
