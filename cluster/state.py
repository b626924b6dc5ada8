"""The one folder that holds what a system on this machine keeps: data, secrets, the lock, and who runs."""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cluster.embedded.process import ProcessMark
from core.errors import Conflict, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What a running `schoolos up` tells the other commands."""

    guard: ProcessMark
    """Ends everything when it is told to end."""
    environment: Mapping[str, str]
    """The settings as resolved, with the addresses of the embedded services; with secrets."""
    ray_environment: Mapping[str, str]
    """What a process needs to reach the Ray cluster."""
    processes: Mapping[str, ProcessMark] = field(default_factory=dict)
    """The embedded services by name."""
    ready_after_s: float | None = None
    """How long the start took; None while it is under way."""
    summary: str = ""
    """What `up` printed at the end."""


class StateFolder:
    """``.schoolos``, or what SCHOOLOS_STATE_DIR names."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock_file = self.path / "lock"
        self._record_file = self.path / "run.json"

    def prepare(self) -> None:
        """Make the folder; it is closed to other users, except to pass through for the database's own."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o711)

    def lock(self) -> int:
        """Take the folder for this process and its children, and return the lock's file descriptor.

        The kernel frees the lock when the last holder dies, so a lock is never stale. Raises ``Conflict`` when a
        living `schoolos up` holds it.
        """
        self.prepare()
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 64, 0).decode(errors="replace").split()
            os.close(descriptor)
            raise Conflict(
                f"SchoolOS is already up from {self.path} (process {holder[0] if holder else 'unknown'}): "
                "see `schoolos status`, or stop it with `schoolos down`"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return descriptor

    def is_locked(self) -> bool:
        """Tell whether a living `schoolos up` holds the folder."""
        try:
            os.close(self.lock())
        except Conflict:
            return True
        return False

    def secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(24)) -> str:
        """Return a secret, made at its first use and readable by this user alone."""
        place = self.path / "secrets" / name
        if not place.exists():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(place, make())
        return place.read_text()

    def secret_path(self, name: str) -> Path:
        """Return where a secret lies."""
        return self.path / "secrets" / name

    def write_record(self, record: RunRecord) -> None:
        """Tell the other commands what runs."""
        write_private(self._record_file, json.dumps(asdict(record), indent=1))

    def read_record(self) -> RunRecord | None:
        """Return what runs, or what ran when it was killed; None where nothing is told."""
        try:
            told = json.loads(self._record_file.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise Unavailable(f"{self._record_file} can't be read; `schoolos down` removes it") from error
        told["guard"] = ProcessMark(**told["guard"])
        told["processes"] = {name: ProcessMark(**mark) for name, mark in told["processes"].items()}
        return RunRecord(**told)

    def remove_record(self) -> None:
        """Forget what ran."""
        self._record_file.unlink(missing_ok=True)


def write_private(place: Path, text: str) -> None:
    """Write a file that this user alone may read, whole or not at all."""
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(place)
