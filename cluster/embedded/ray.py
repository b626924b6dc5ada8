"""A Ray cluster of this machine alone, with its dashboard, for one state folder."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil

from cluster.embedded.ports import free_ports
from cluster.embedded.process import ProcessMark, end
from core.errors import Unavailable

_LONGEST = 22
"""Characters the folder's path may have. HAProxy's socket adds 83 (its node's id is 56 of them), the limit is 107."""
_RAY_PORTS = ("port", "node-manager-port", "object-manager-port", "dashboard-agent-listen-port",
              "dashboard-agent-grpc-port", "runtime-env-agent-port", "metrics-export-port",
              "ray-client-server-port")  # fmt: skip
_PROXY_PORTS = ("haproxy-metrics-port", "haproxy-stats-port")
_CLIENT_SERVER = "ray.util.client.server"
_SWEEPS = 5


class EmbeddedRay:
    """One Ray head. Its processes are known by their session, which ``ray start`` opens and none of them leaves."""

    def __init__(
        self, folder: Path, *, token_file: Path, dashboard_port: int, object_store_bytes: int, near_port: int = 20_500
    ) -> None:
        """Prepare the cluster. The token in ``token_file`` opens it; Ray's own ports listen on all interfaces."""
        self._asked_folder = folder.absolute()
        self.folder = short_enough(self._asked_folder)
        self._token_file = token_file
        self._dashboard_port = dashboard_port
        self._object_store_bytes = object_store_bytes
        self._session_file = self.folder / "session"
        self._open_folder = self.folder / "r"
        """Ray's own, which it lets every user write to; ours around it lets none in."""
        # On every interface, because Ray listens there; its agents on the machine's own address and not on loopback.
        found = free_ports(len(_RAY_PORTS) + len(_PROXY_PORTS), near=near_port, host="0.0.0.0")  # noqa: S104 - asked, not bound
        self.ports = dict(zip(_RAY_PORTS + _PROXY_PORTS, found, strict=True))

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to start, reach and serve from this cluster."""
        proxy = self.folder / "ha"
        return {
            "RAY_ADDRESS": f"127.0.0.1:{self.ports['port']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self._token_file),
            "RAY_TMPDIR": str(self._open_folder),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_SERVE_ENABLE_HA_PROXY": "1",
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
            "RAY_SERVE_HAPROXY_NBTHREAD": "1",
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(self.ports["haproxy-metrics-port"]),
            "RAY_SERVE_HAPROXY_STATS_PORT": str(self.ports["haproxy-stats-port"]),
            "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{proxy}/haproxy.cfg",
            "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{proxy}/admin.sock",
            "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{proxy}/metrics.sock",
            "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(proxy),
            "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{proxy}/server-state",
            "OMP_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",  # each of Ray's processes has 25 threads, which would scatter memory over as many
            # So that the `python` of a submitted job is this environment's.
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        }

    def begin(self) -> "subprocess.Popen[bytes]":
        """Begin to start the cluster and return the process that does; hand it to ``finish``."""
        shutil.rmtree(self.folder, ignore_errors=True)  # what an earlier session left
        try:
            self.folder.mkdir(mode=0o700)
        except FileExistsError as error:
            raise Unavailable(
                f"{self.folder} belongs to another user; remove it, Ray keeps its sockets there"
            ) from error
        if self.folder != self._asked_folder:
            self._asked_folder.unlink(missing_ok=True)
            self._asked_folder.symlink_to(self.folder)  # so that its logs are found where everything else is
        starting = subprocess.Popen(  # noqa: S603 - our own program and arguments
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--disable-usage-stats"),
                *("--no-monitor", "--include-log-monitor=false"),  # no autoscaler here; logs stay in their files
                *("--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1"),
                f"--dashboard-port={self._dashboard_port}",
                *(f"--{name}={self.ports[name]}" for name in _RAY_PORTS),
                f"--num-cpus={os.cpu_count() or 1}",
                # Of their own: solvers and printers are held to the cores, whatever else Ray counts on them.
                f"--resources={json.dumps(dict.fromkeys(('solver', 'pdf'), os.cpu_count() or 1))}",
                f"--object-store-memory={self._object_store_bytes}",
                f"--temp-dir={self._open_folder}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "start.log").open("wb"),
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.environment},
            cwd="/",  # a folder on the path of every worker would hide packages behind its files
            start_new_session=True,
        )
        ProcessMark.of(starting.pid).write(self._session_file)
        return starting

    def finish(self, starting: "subprocess.Popen[bytes]", *, within_s: float = 120) -> None:
        """Wait until the cluster runs. Raises ``Unavailable`` with what Ray said."""
        try:
            code = starting.wait(timeout=within_s)
        except subprocess.TimeoutExpired as error:
            self.stop()
            starting.wait()
            raise Unavailable(f"Ray did not start within {within_s:.0f} s; is the machine very busy?") from error
        if code:
            told = (self.folder / "start.log").read_text(errors="replace")[-800:].strip()
            self.stop()
            raise Unavailable(f"Ray did not start: {told}")
        # No option leaves it out, nothing of ours is its client, and it takes 50 MB and a port on every interface.
        end([mark for mark, _ in _members(self.folder) if _CLIENT_SERVER in _words(mark)], within_s=2)

    def stop(self) -> None:
        """End every process of the cluster, the raylet first so that it starts none again."""
        stop_ray(self.folder)

    @property
    def head(self) -> ProcessMark | None:
        """The head's own process, or None where none runs."""
        return next((mark for mark, name in _members(self.folder) if name == "gcs_server"), None)


def stop_ray(folder: Path) -> None:
    """End every process of the cluster whose files lie in a folder; none is no error."""
    folder = short_enough(folder.absolute())
    end([mark for mark, name in _members(folder) if name == "raylet"], within_s=2)
    for _ in range(_SWEEPS):
        # What is still starting makes new processes while it is being ended.
        if not (left := _members(folder)):
            break
        end([mark for mark, _ in left], within_s=3)
    (folder / "session").unlink(missing_ok=True)


def _members(folder: Path) -> list[tuple[ProcessMark, str]]:
    """Return the living processes of a folder's session and all that descend from them, with their names."""
    opener = ProcessMark.read(folder / "session")
    if opener is None:
        return []
    found: dict[int, tuple[ProcessMark, str]] = {}
    for process in psutil.process_iter():
        try:
            # Older than the one that opened the session means that the number was given away.
            if os.getsid(process.pid) == opener.pid and ProcessMark.of(process.pid).born_at >= opener.born_at:
                for member in (process, *process.children(recursive=True)):
                    found[member.pid] = (ProcessMark.of(member.pid), member.name())
        except (psutil.Error, ProcessLookupError, Unavailable):
            continue
    return list(found.values())


def _words(mark: ProcessMark) -> list[str]:
    try:
        return psutil.Process(mark.pid).cmdline()
    except psutil.Error:
        return []


def short_enough(folder: Path) -> Path:
    """Return the folder, or one in /tmp that belongs to it where its path is too long for sockets."""
    if len(str(folder)) <= _LONGEST:
        return folder
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    return Path("/tmp") / f"schoolos-{digest}"  # noqa: S108 - made with mode 0700, and refused where it is another's
