"""Chromium's own sandbox: used where the machine lets it, named in the log where not; cards are printed in both."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster.checks import find_browser
from core.reports.fonts import whole

ROOT = Path(__file__).parents[2]
NOBODY = 65534
"""A user of every Linux who owns nothing."""
PRINTER = """
import asyncio, concurrent.futures.thread, encodings.idna, os, sys
from pathlib import Path
from core.adapters.chromium import ChromiumRenderer
from core.adapters.telemetry import start_telemetry

start_telemetry("tests")  # what is logged goes to standard error
program, folder, user = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

class Fonts:
    def __init__(self, files): self._files = files
    def files(self): return self._files

async def main():
    fonts = Fonts({each.name: each.read_bytes() for each in (folder / "fonts").iterdir()})
    if user != os.geteuid():  # only now: Python itself may lie where the user can't read
        os.setgroups([]); os.setgid(user); os.setuid(user)
    renderer = ChromiumRenderer(program, fonts=fonts, folder=folder / "browsers")
    pdf = await renderer.render("<!doctype html><title>x</title><p>printed</p>", deadline_s=60)
    print("printed" if pdf.startswith(b"%PDF") else "not printed", renderer.sandboxed, renderer.pid, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await renderer.close()

asyncio.run(main())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that any user can reach, with a typeface; pytest closes its own to other users."""
    with tempfile.TemporaryDirectory(prefix="schoolos-sandbox-") as name:
        made = Path(name)
        made.chmod(0o711)
        (made / "fonts").mkdir()
        (made / "fonts" / "sans.ttf").write_bytes(whole("sans"))
        (made / "browsers").mkdir()
        yield made


def may_have_namespaces(user: int) -> bool:
    """Tell whether the machine lets a user make a user namespace, which is what Chromium's sandbox stands on."""
    unshare = shutil.which("unshare")
    assert unshare, "util-linux is not installed"
    own = user == os.geteuid()
    tried = subprocess.run(
        [unshare, "--user", "true"],
        check=False,
        capture_output=True,
        user=None if own else user,
        group=None if own else user,
        extra_groups=None if own else [],
    )
    return tried.returncode == 0


def without_namespaces() -> list[str]:
    """Return the beginning of a command that runs as nobody, on a machine that refuses any more user namespaces."""
    refuse = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    return [
        "unshare",
        "--user",
        f"--map-user={NOBODY}",
        f"--map-group={NOBODY}",
        "--keep-caps",
        "sh",
        "-c",
        refuse,
        "-",
    ]


def seccomp_of(process: psutil.Process) -> set[str]:
    """Return in which modes the system calls of a browser's pages are filtered; 2 is by a program of its own."""
    pages = [each for each in process.children(recursive=True) if "--type=renderer" in each.cmdline()]
    assert pages
    told = [line for each in pages for line in Path(f"/proc/{each.pid}/status").read_text().splitlines()]
    return {line.split()[1] for line in told if line.startswith("Seccomp:")}


@pytest.mark.parametrize("who", ["root", "nobody", "nobody without namespaces"])
async def test_the_sandbox_is_used_where_it_works(folder: Path, who: str) -> None:
    """A user who may make namespaces prints inside the sandbox, pages filtered; others print without, and are told."""
    user = os.geteuid() or {"root": 0, "nobody": NOBODY}.get(who, 0)  # who is not root can be nobody else
    os.chown(folder / "browsers", user, -1)
    expected, refused = user != 0 and may_have_namespaces(user), list[str]()
    if who == "nobody without namespaces" and may_have_namespaces(user):
        user, expected, refused = NOBODY, False, without_namespaces()
    program = find_browser()
    assert program, "there is no Chromium: run `make setup`"
    printer = await asyncio.create_subprocess_exec(
        *(*refused, sys.executable, "-c", PRINTER, str(program), str(folder), str(user)),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert printer.stdout
    words = (await printer.stdout.readline()).decode().split()
    filtered = seccomp_of(psutil.Process(int(words[2]))) if len(words) == 3 else set()
    _, told = await printer.communicate(b"\n")
    assert words[:2] == ["printed", str(expected)], told.decode()
    assert ("browser_sandbox_unavailable" in told.decode()) is not expected
    assert filtered == {"2"} if expected else filtered
    assert not list((folder / "browsers").iterdir())
