"""What every measurement stands on: servers of its own, a provider, workers in processes, a school and its events."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import psutil

from cluster.embedded.postgres import EmbeddedPostgres
from cluster.embedded.redis import EmbeddedRedis

_PARTS = "tests.benchmarks.notifying"


@dataclass(frozen=True, slots=True)
class House:
    """Addresses of the servers, and a folder."""

    postgres: str
    redis: str
    folder: Path

    def environment(self, provider: "Provider", **settings: object) -> dict[str, str]:
        """Return the environment of a worker: as in production, with the provider's own limit lifted."""
        figures = self.folder / "metrics"
        figures.mkdir(exist_ok=True)
        own = {name: value for name, value in os.environ.items() if not name.startswith("SCHOOLOS_")}
        wanted: Mapping[str, object] = {
            "DATABASE_URL": self.postgres,
            "REDIS_URL": self.redis,
            "SMS_ENDPOINT": provider.url,
            "SMS_API_KEY": "k",
            "TELEMETRY_OTLP_ENDPOINT": provider.url,
            "TELEMETRY_SAMPLE_RATIO": 0.01,
            "TELEMETRY_LOG_LEVEL": "WARNING",
            **settings,
        }
        return (
            own
            | {f"SCHOOLOS_{name}": str(value) for name, value in wanted.items()}
            | {"PROMETHEUS_MULTIPROC_DIR": str(figures)}
        )


@contextmanager
def open_house() -> Iterator[House]:
    """Start the servers; stop them in reverse. Commits reach the disk, as they do in production."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        postgres = EmbeddedPostgres(Path(folder, "postgres"), near_port=25_432)
        redis = EmbeddedRedis(Path(folder, "redis"), durable=False, near_port=25_379)
        with ExitStack() as stack:
            stack.callback(postgres.stop)
            stack.callback(redis.stop)
            yield House(postgres.start(), redis.start(), Path(folder))


class Provider:
    """The loopback provider's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        port = int(cast("IO[str]", process.stdout).readline())
        self.url = f"http://127.0.0.1:{port}"

    def counts(self) -> dict[str, int]:
        """Return how many requests came in, and how many different keys."""
        with urllib.request.urlopen(f"{self.url}/counts", timeout=10) as answer:
            told: dict[str, int] = json.load(answer)
        return told

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


@contextmanager
def open_provider(delay_ms: float) -> Iterator[Provider]:
    """Start a provider that answers after so long."""
    command = [sys.executable, "-m", f"{_PARTS}.provider", str(delay_ms)]
    provider = Provider(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    try:
        yield provider
    finally:
        provider.stop()


class WorkerProcess:
    """A notifier's process."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{_PARTS}.worker", name],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._seen = psutil.Process(self._process.pid)
        if cast("IO[str]", self._process.stdout).readline().strip() != "open":
            raise RuntimeError(f"worker {name} did not open")

    def say(self) -> None:
        """Start it; said again, drain it."""
        told = cast("IO[str]", self._process.stdin)
        told.write("\n")
        told.flush()

    def stop(self) -> None:
        """Drain it and wait until it is gone."""
        if self._process.poll() is None:
            self.say()
        self._process.wait(timeout=60)

    @property
    def cpu_s(self) -> float:
        """What it has used of the processor."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    @property
    def rss_mb(self) -> float:
        """Its resident memory."""
        return float(self._seen.memory_info().rss) / 2**20


@contextmanager
def open_workers(count: int, environment: Mapping[str, str]) -> Iterator[list[WorkerProcess]]:
    """Open so many notifiers; they wait for the word to start."""
    with ExitStack() as stack:
        workers = []
        for number in range(count):
            worker = WorkerProcess(f"notifier-{number}", environment)
            stack.callback(worker.stop)
            workers.append(worker)
        yield workers
