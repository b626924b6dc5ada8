"""The printer's browser dies, hangs or grows: the call says so in time, the next one prints, and nothing is left."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import psutil
import pytest

from cluster.checks import find_browser
from core.adapters.chromium import ChromiumRenderer, Limits
from core.reports.ports import RenderFailed, RenderTimedOut
from tests.factories.printing import FONTS
from tests.fault.stall import watched

HTML = "<!doctype html><title>x</title><p>printed</p>"
DEADLINE_S = 30.0


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Where browsers of a test keep their profiles."""
    return tmp_path / "browsers"


@pytest.fixture
async def renderer(folder: Path) -> AsyncIterator[ChromiumRenderer]:
    """A warm browser of this test."""
    made = ChromiumRenderer(program(), fonts=FONTS, folder=folder)
    await made.start()
    yield made
    await made.close()
    assert not left_in(folder)


def program() -> Path:
    """Return the browser."""
    found = find_browser()
    assert found, "there is no Chromium: run `make setup`"
    return found


@pytest.mark.parametrize("victim", ["browser", "renderer", "driver"])
async def test_kill_costs_one_call_at_most(renderer: ChromiumRenderer, victim: str) -> None:
    """After kill -9 of browser, page or driver, a call prints or fails as one to try again, and the next prints."""
    group = members(renderer)
    for process in victims(renderer, victim):
        process.send_signal(signal.SIGKILL)
    failed = None
    try:
        await renderer.render(HTML, deadline_s=DEADLINE_S)
    except RenderFailed as error:
        failed = error
    assert failed is None or failed.retryable
    assert (await renderer.render(HTML, deadline_s=DEADLINE_S)).startswith(b"%PDF")
    await gone(group)


@pytest.mark.parametrize("victim", ["browser", "renderer", "driver"])
async def test_hang_ends_at_the_deadline(renderer: ChromiumRenderer, tmp_path: Path, victim: str) -> None:
    """A stopped browser, page or driver is given up at the deadline, its group is killed, and the next call prints."""
    group = members(renderer)
    for process in victims(renderer, victim):
        process.suspend()
    with watched(tmp_path) as stall:
        began = monotonic()
        with pytest.raises(RenderTimedOut):
            await renderer.render(HTML, deadline_s=1.0)
        assert stall.own_s(began, monotonic()) < 15
    await gone(group)
    assert (await renderer.render(HTML, deadline_s=DEADLINE_S)).startswith(b"%PDF")


async def test_cancelled_call_leaves_no_half_print(renderer: ChromiumRenderer) -> None:
    """A call that is cancelled ends its browser; the next has a new one and prints its own document."""
    before = renderer.pid
    call = asyncio.create_task(renderer.render(HTML + "<p>x" * 100_000, deadline_s=DEADLINE_S))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await renderer.render(HTML, deadline_s=DEADLINE_S)).startswith(b"%PDF")
    assert renderer.pid != before


async def test_browser_is_replaced_after_its_share(folder: Path) -> None:
    """A browser that has printed its number of documents, or grown past its memory, is replaced by a new one."""
    for limits in (Limits(documents=2), Limits(memory_bytes=1)):
        renderer = ChromiumRenderer(program(), fonts=FONTS, folder=folder, limits=limits)
        pids = set()
        for _ in range(2 if limits.memory_bytes == 1 else 3):
            await renderer.start()
            pids.add(renderer.pid)
            await renderer.render(HTML, deadline_s=DEADLINE_S)
        await renderer.close()
        assert len(pids) == 2
    assert not left_in(folder)


async def test_an_unused_browser_rests(renderer: ChromiumRenderer) -> None:
    """A browser that printed within the time is kept; past it, it ends, and the next call prints by another."""
    group = members(renderer)
    await renderer.render(HTML, deadline_s=DEADLINE_S)
    await renderer.rest(60)
    await renderer.render(HTML, deadline_s=DEADLINE_S)
    assert all(process.is_running() for process in group)
    while renderer.pid is not None:  # a browser that still tidies is left alone
        await renderer.rest(0)
        await asyncio.sleep(0.05)
    await gone(group)
    assert (await renderer.render(HTML, deadline_s=DEADLINE_S)).startswith(b"%PDF")


async def test_leftovers_of_the_dead_are_removed(folder: Path, renderer: ChromiumRenderer) -> None:
    """The profile of a process that was killed is removed at the next start; that of one that lives is kept."""
    dead = folder / "schoolos-print-999999999-left"
    dead.mkdir()
    other = ChromiumRenderer(program(), fonts=FONTS, folder=folder)
    await other.start()
    assert not dead.exists()
    assert len(left_in(folder)) == 2
    await other.close()
    assert (await renderer.render(HTML, deadline_s=DEADLINE_S)).startswith(b"%PDF")


async def test_killed_owner_leaves_no_browser(folder: Path) -> None:
    """When the process that prints is killed, its browser and driver end too."""
    script = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom core.adapters.chromium import ChromiumRenderer\n"
        "class Fonts:\n    def files(self): return {'sans.ttf': Path(sys.argv[1]).read_bytes()}\n"
        "async def main():\n"
        f"    r = ChromiumRenderer(Path({str(program())!r}), fonts=Fonts(), folder=Path({str(folder)!r}))\n"
        "    await r.start()\n    print('ready', flush=True)\n    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    font = folder.with_name("font.ttf")
    font.write_bytes(FONTS.files()["sans-400.ttf"])
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(font), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert owner.stdout
    while b"ready" not in (line := await owner.stdout.readline()):
        assert line, "the owner ended"
    below = psutil.Process(owner.pid).children(recursive=True)
    assert below
    owner.kill()
    await owner.wait()
    await gone(below)


async def test_program_that_is_no_browser_is_told(folder: Path) -> None:
    """A program that does not start as a browser fails the call with a reason, and leaves nothing."""
    renderer = ChromiumRenderer(Path("/bin/false"), fonts=FONTS, folder=folder)
    with pytest.raises(RenderFailed):
        await renderer.render(HTML, deadline_s=DEADLINE_S)
    await renderer.close()
    assert not left_in(folder)


def left_in(folder: Path) -> list[Path]:
    """Return what browsers have left behind."""
    return list(folder.iterdir())


def members(renderer: ChromiumRenderer) -> list[psutil.Process]:
    """Return all processes of the browser's group."""
    assert renderer.pid
    browser = psutil.Process(renderer.pid)
    assert os.getpgid(browser.pid) == browser.pid != os.getpgrp()
    return [browser, *browser.children(recursive=True)]


def victims(renderer: ChromiumRenderer, victim: str) -> list[psutil.Process]:
    """Return the processes a test strikes."""
    browser = members(renderer)[0]
    if victim == "browser":
        return [each for each in members(renderer) if not any(word.startswith("--type=") for word in each.cmdline())]
    if victim == "driver":
        driver = browser.parent()
        return [driver] if driver else []
    return [each for each in browser.children(recursive=True) if "--type=renderer" in each.cmdline()]


async def gone(processes: list[psutil.Process]) -> None:
    """Wait until processes have ended; one that is dead but not yet reaped by init has ended."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, 15)
    assert not [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_temporary_folder_is_the_default() -> None:
    """Without a folder of its own, a browser's profile lies where temporary files do."""
    made = ChromiumRenderer(program(), fonts=FONTS)
    assert made._parent == Path(tempfile.gettempdir())
