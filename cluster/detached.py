"""`schoolos up --detach`: the same start in a session of its own, watched until the system is up."""

import subprocess
import sys
import time
from pathlib import Path

import click

from cluster.settings import Settings
from cluster.state import StateFolder

_LOG = "up.log"


def up_detached(settings: Settings, *, demo: bool, tour: bool) -> int:
    """Start in the background, show what it says until it is up, and return its exit code where it failed."""
    folder = StateFolder(settings.state_dir)
    folder.prepare()
    log = folder.path / _LOG
    log.unlink(missing_ok=True)
    log.touch(mode=0o600)  # the first start prints the administrator's password
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program and arguments
            [sys.executable, "-m", "cluster.cli", "up", *_options(demo=demo, tour=tour)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        code = _follow(process, folder, log)
    except KeyboardInterrupt:
        process.terminate()
        raise
    process.returncode = code  # it goes on without us: its end is not ours to wait for
    return code


def _options(*, demo: bool, tour: bool) -> list[str]:
    return ["--demo" if demo else "--no-demo", "--tour" if tour else "--no-tour"]


def _follow(process: "subprocess.Popen[bytes]", folder: StateFolder, log: Path) -> int:
    """Show what the start writes until it is up (0) or has ended (its exit code)."""
    with log.open(encoding="utf-8", errors="replace") as told:
        while True:
            ended = process.poll()
            up = _is_up(folder)
            click.echo(told.read(), nl=False)
            if ended is not None:
                return ended
            if up:
                return 0
            time.sleep(0.1)


def _is_up(folder: StateFolder) -> bool:
    record = folder.read_record()
    return record is not None and record.ready_after_s is not None and record.guard.alive()
