"""Chromium as the printer: one browser and one page, locked down, killed as a group when it does not answer.

What a document asks for can't leave the machine by any of these ways: it carries a content security policy, runs no
script, sits in an offline context, resolves no name and has a proxy that nobody answers. Chromium's own sandbox is
used where the machine lets it; that is tried once.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

import psutil
from playwright.async_api import BrowserContext, Page, Playwright, async_playwright
from playwright.async_api import Error as BrowserError

from core.reports.fonts import Fonts
from core.reports.ports import RenderFailed, RenderTimedOut
from core.telemetry import get_logger

log = get_logger("reports")

_Result = TypeVar("_Result")
_MIB = 1024 * 1024
_PREFIX = "schoolos-print-"
_NOBODY = "http://127.0.0.1:1"
"""A proxy that refuses every connection, also those to this machine."""
_ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-bypass-list=<-loopback>",
    "--dns-prefetch-disable",
    "--no-pings",
    "--disable-gpu",
    "--disable-breakpad",
    "--disk-cache-size=1",
    "--font-render-hinting=none",  # letters stand where their widths say, not where a screen's pixels are
)
_FONTS_READY = "Promise.all([...document.fonts].map(face => face.load())).then(() => undefined)"
"""Asked from outside: the document itself runs no script. Without, the first print has the fallback's letters."""
_EMPTY = "<!doctype html>"
_LEAVES = re.compile(r'http-equiv(?!="Content-Security-Policy")', re.IGNORECASE)
"""What a document that leaves for elsewhere by itself must hold: it runs no script, so only a refresh does that."""
_TIDY_S = 5.0
"""What emptying the page may take."""
_KILL_S = 5.0
"""What the driver gets to notice that its browser is gone."""
_FONT_CONFIGURATION = (
    '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">'
    "<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/fonts-cache</cachedir></fontconfig>"
)
"""The browser sees the fonts of cards alone, whatever the machine has, so that a card looks the same everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a browser has served long enough."""

    documents: int = 200
    memory_bytes: int = 768 * _MIB
    """Resident, of the largest of its processes; 350 MiB after the first cards, 580 after 900."""
    start_s: float = 20.0


@dataclass(slots=True)
class _Browser:
    """A running browser with its driver, and what it has printed."""

    playwright: Playwright
    folder: Path
    context: BrowserContext
    page: Page
    process: psutil.Process
    printed: int = 0


class ChromiumRenderer:
    """Prints HTML as PDF. A browser that crashed, hung or served its time is replaced at the next call."""

    def __init__(
        self, program: Path, *, fonts: Fonts, folder: Path | None = None, limits: Limits | None = None
    ) -> None:
        """Take the browser's program, its only fonts and where its profile may lie; nothing is started yet."""
        self._program = program
        self._fonts = fonts
        self._parent = folder or Path(tempfile.gettempdir())
        self._limits = limits or Limits()
        self._lock = asyncio.Lock()
        self._tidying: asyncio.Task[None] | None = None
        self._browser: _Browser | None = None
        self._folder: Path | None = None
        self._playwright: Playwright | None = None
        self._sandboxed: bool | None = None
        self._used_at = 0.0

    @property
    def pid(self) -> int | None:
        """Return the process of the browser, which leads a group of its own; None while there is none."""
        return self._browser.process.pid if self._browser else None

    @property
    def sandboxed(self) -> bool | None:
        """Tell whether Chromium's sandbox is in use; None before the first start."""
        return self._sandboxed

    async def start(self) -> None:
        """Start the browser ahead of the first call. Raises ``RenderFailed``."""
        await self._cut_fonts()
        async with self._lock:
            await self._within(self._limits.start_s, self._ready)

    async def render(self, html: str, *, tagged: bool = False, landscape: bool = False, deadline_s: float) -> bytes:
        """Return the document as PDF; see ``PageRenderer``. The page is emptied after that, before the next call."""
        await self._cut_fonts()
        await self._lock.acquire()
        try:
            pdf = await self._within(deadline_s, partial(self._print, html, tagged, landscape))
        except BaseException:
            self._lock.release()
            raise
        self._tidying = asyncio.create_task(self._tidy(leaves=_LEAVES.search(html) is not None))
        return pdf

    async def _cut_fonts(self) -> None:
        """Have the typefaces ready; cutting them takes seconds, once a machine, that no deadline is about."""
        if self._browser is None:
            await asyncio.to_thread(self._fonts.files)

    async def rest(self, unused_s: float) -> None:
        """End a browser that printed nothing for so long: it holds half a gigabyte. The next call starts another."""
        if self._browser is None or self._lock.locked() or monotonic() - self._used_at < unused_s:
            return
        async with self._lock:
            log.info("browser_rests")
            await self._end()

    async def close(self) -> None:
        """End the browser and remove what it kept on disk."""
        async with self._lock:
            await self._end()

    async def _within(self, deadline_s: float, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Do a piece of work with the browser; whatever goes wrong costs the browser, never the next call."""
        unharmed = False
        try:
            async with asyncio.timeout(deadline_s):
                result = await work()
            unharmed = True
        except TimeoutError as error:
            raise RenderTimedOut(f"the document was not printed within {deadline_s:g} s") from error
        except BrowserError as error:
            raise RenderFailed(f"the browser failed: {_first_line(error)}") from error
        finally:
            if not unharmed:
                await asyncio.shield(self._kill())
        return result

    async def _print(self, html: str, tagged: bool, landscape: bool) -> bytes:
        browser = await self._ready()
        await browser.page.set_content(html)
        await browser.page.evaluate(_FONTS_READY)
        pdf = await browser.page.pdf(
            prefer_css_page_size=True, print_background=True, tagged=tagged, outline=tagged, landscape=landscape
        )
        browser.printed += 1
        self._used_at = monotonic()
        return pdf

    async def _tidy(self, *, leaves: bool) -> None:
        """Make the browser ready for the next call, and let that begin."""
        try:
            await self._within(self._limits.start_s, partial(self._empty, leaves))
        except RenderFailed as error:  # the next call starts another browser
            log.warning("browser_not_tidied", error=error.message)
        finally:
            self._lock.release()

    async def _empty(self, leaves: bool) -> None:
        """Empty the page, or end the browser where it has served long enough; the next is started at once."""
        browser = await self._ready()
        if browser.printed >= self._limits.documents or _memory_of(browser.process) > self._limits.memory_bytes:
            log.info("browser_recycled", documents=browser.printed)
            await self._end()
            await self._ready()
            return
        async with asyncio.timeout(_TIDY_S):
            if leaves:  # it would take the next document with it; going elsewhere first costs as much as a print
                await browser.page.goto("about:blank")
            else:
                await browser.page.set_content(_EMPTY)

    async def _ready(self) -> _Browser:
        if self._browser is None:
            self._browser = await self._begin()
            self._used_at = monotonic()
        return self._browser

    async def _begin(self) -> _Browser:
        self._folder = await asyncio.to_thread(self._make_folder)
        self._playwright = await async_playwright().start()
        context = await self._open(self._playwright, self._folder)
        page = context.pages[0] if context.pages else await context.new_page()
        process = _process_of(self._folder)
        if process is None:
            raise RenderFailed("the browser ended as soon as it was started")
        return _Browser(self._playwright, self._folder, context, page, process)

    async def _open(self, playwright: Playwright, folder: Path) -> BrowserContext:
        """Launch with the sandbox, and without where the machine does not allow it; which of both is tried once."""
        if self._sandboxed is not False:
            try:
                context = await self._launch(playwright, folder, sandbox=True)
            except BrowserError:
                if self._sandboxed:
                    raise
                log.warning("browser_sandbox_unavailable", root=os.geteuid() == 0)
            else:
                self._sandboxed = True
                return context
        context = await self._launch(playwright, folder, sandbox=False)
        self._sandboxed = False
        return context

    async def _launch(self, playwright: Playwright, folder: Path, *, sandbox: bool) -> BrowserContext:
        return await playwright.chromium.launch_persistent_context(
            folder / "profile",
            executable_path=self._program,
            artifacts_dir=folder,  # else the driver makes one of its own, and leaves it when it is killed
            headless=True,
            chromium_sandbox=sandbox,
            args=_ARGUMENTS,
            env=_environment(folder),
            java_script_enabled=False,
            offline=True,
            accept_downloads=False,
            service_workers="block",
            proxy={"server": _NOBODY},
            timeout=self._limits.start_s * 1000,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )

    def _make_folder(self) -> Path:
        self._parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(self._parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=self._parent))
        (folder / "fonts").mkdir()
        for name, content in self._fonts.files().items():
            (folder / "fonts" / name).write_bytes(content)
        (folder / "fonts.conf").write_text(_FONT_CONFIGURATION.format(folder=folder))
        return folder

    async def _end(self) -> None:
        """End the browser in peace, or by force where it does not go."""
        if self._browser is not None:
            with contextlib.suppress(TimeoutError, BrowserError):
                async with asyncio.timeout(_KILL_S):
                    await self._browser.context.close()
        await self._kill()

    async def _kill(self) -> None:
        """Kill the browser's whole process group, end its driver and remove its folder."""
        folder, playwright = self._folder, self._playwright
        process = self._browser.process if self._browser else (_process_of(folder) if folder else None)
        self._browser = self._folder = self._playwright = None
        driver = _driver_of(process)
        _kill_group(process)
        if playwright is not None:
            try:
                async with asyncio.timeout(_KILL_S):
                    await playwright.stop()
            except (TimeoutError, BrowserError):
                _kill(driver)
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _environment(folder: Path) -> dict[str, str | float | bool]:
    """Return what the browser sees of this process's environment: a path, and its own folder for everything else."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "FONTCONFIG_FILE": str(folder / "fonts.conf"),
    }


def _process_of(folder: Path) -> psutil.Process | None:
    """Return the process that leads the group of the browser whose profile lies in a folder.

    The driver starts each as the leader of a group of its own; a distribution's may be a script around the browser.
    """
    wanted = f"--user-data-dir={folder / 'profile'}"
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = child.cmdline()
            if wanted in words and not any(word.startswith("--type=") for word in words):
                return child
    return None


def _driver_of(process: psutil.Process | None) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error):
        return process.parent() if process else None
    return None


def _kill_group(process: psutil.Process | None) -> None:
    """Kill all processes of a browser's group, also those that have outlived its leader."""
    if process is None:
        return
    # A number that is still in use as a group's is not given away, so only another process by it speaks against it.
    given_away = not process.is_running() and psutil.pid_exists(process.pid)
    if not given_away and process.pid != os.getpgrp():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _kill(process: psutil.Process | None) -> None:
    with contextlib.suppress(psutil.Error):
        if process is not None:
            process.kill()


def _memory_of(process: psutil.Process) -> int:
    """Return the resident memory of the largest of a browser's processes: the one that lays pages out."""
    with contextlib.suppress(psutil.Error):
        return max(each.memory_info().rss for each in (process, *process.children(recursive=True)))
    return 0


def _remove_leftovers(parent: Path) -> None:
    """Remove the folders of processes that are no more."""
    for folder, owner in _folders(parent):
        if not psutil.pid_exists(owner):
            shutil.rmtree(folder, ignore_errors=True)


def _folders(parent: Path) -> Iterator[tuple[Path, int]]:
    for folder in parent.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit():
            yield folder, int(owner)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
