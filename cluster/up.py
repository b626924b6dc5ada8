"""Brings the system up on this machine, and stays until it is told to stop."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import NoReturn

from rich.console import Console

from cluster import checks
from cluster.down import sweep
from cluster.guard import guarded
from cluster.opening import Opening
from cluster.outcome import finish
from cluster.settings import Settings
from cluster.state import StateFolder
from core.errors import Unavailable


class _Told(BaseException):
    """A signal said to stop."""


def up(settings: Settings, *, demo: bool, tour: bool) -> int:
    """Start everything that no address was given for, show it at work, and return an exit code when it has stopped."""
    folder = StateFolder(settings.state_dir)
    console = Console(highlight=False)
    if sweep(folder):
        console.print("An earlier start was killed; what it left is stopped.")
    folder.lock()  # held until this process and its child have ended
    settings = settings.model_copy(update={"state_dir": folder.path})
    return guarded(lambda: finish(lambda: _run(settings, folder, console, demo=demo, tour=tour)))


def _run(settings: Settings, folder: StateFolder, console: Console, *, demo: bool, tour: bool) -> int:
    _refuse(checks.problems(settings))
    for warning in checks.warnings(settings):
        console.print(f"[yellow]![/] {warning}")
    try:
        with _stoppable(), ExitStack() as stack:
            stack.callback(folder.remove_record)
            stack.callback(console.print, "Stopping ...")
            opening = Opening(settings, folder, console, stack)
            opening.open(demo=demo, tour=tour)
            _stay(opening.dead)
    except _Told:
        console.print("SchoolOS is down.")
        return 0


def _refuse(problems: list[str]) -> None:
    if problems:
        raise Unavailable("\n".join(problems))


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let the first signal end the block; the second ends this process at once, and the guard ends the rest."""

    def at_once(signum: int, _: FrameType | None) -> NoReturn:
        os._exit(128 + signum)

    def first(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a handler's signature
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, at_once)
        raise _Told

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, first)
    yield


def _stay(dead: Callable[[], str | None]) -> NoReturn:
    """Wait for a signal. Raises ``Unavailable`` when a service ends by itself."""
    while True:
        if (name := dead()) is not None:
            raise Unavailable(f"{name} ended by itself; its log is in the state folder. Start again with `schoolos up`")
        time.sleep(1)
