"""The part of a start that needs the whole system imported, as one child process.

`schoolos up` starts it first, so that it imports while the services start, asks it for one step after another, and
lets it go when the house is open: what it imported does not stay in memory.

One JSON object a line each way: ``{"step": name, "environment": {...}, "given": {...}}``, and ``{"result": ...}`` or
``{"error": kind, "message": ...}``; before it any number of ``{"told": ...}``.
"""

import asyncio
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cluster.guard import die_with
from cluster.resolved import as_environment
from cluster.settings import Settings
from core import errors
from core.errors import Broken, SchoolOSError, Unavailable

if TYPE_CHECKING:
    from core.school.simulator.service import DemoSchool

Tell = Callable[[str], None]


class Housekeeper:
    """The child, as its parent sees it."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        """Start the child with these variables added; what it writes to standard error goes to the log."""
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own program and arguments
                [sys.executable, "-m", "cluster.housekeeper", str(os.getpid())],
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                text=True,
            )

    def ask(self, step: str, settings: Settings, *, tell: Tell = lambda _: None, **given: object) -> Any:
        """Have a step done and return its result; ``tell`` hears how it goes. Raises what the step raised."""
        question = {"step": step, "environment": as_environment(settings), "given": given}
        try:
            _pipe(self._process.stdin).write(json.dumps(question) + "\n")
            _pipe(self._process.stdin).flush()
            while "told" in (answer := json.loads(_pipe(self._process.stdout).readline())):
                tell(answer["told"])
        except (OSError, ValueError) as error:
            raise Unavailable(f"the start's helper ended while it did its step {step}; see {self._log}") from error
        if "error" in answer:
            kind = getattr(errors, answer["error"], Broken)
            raise kind(f"{answer['message']}; see {self._log}" if kind is Broken else answer["message"])
        return answer["result"]

    def close(self) -> None:
        """Let the child go."""
        for pipe in (self._process.stdin, self._process.stdout):
            _pipe(pipe).close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise Broken("the helper was started without pipes")
    return pipe


class _Steps:
    """What the child can be asked for."""

    def __init__(self) -> None:
        # Imported here and not above, because the parent imports this module too and stays small.
        from cluster import first_start, house, tour  # noqa: PLC0415 - see above

        self._first_start, self._house, self._tour = first_start, house, tour
        self._school: DemoSchool | None = None

    def records(self, settings: Settings, _: Tell, *, login_password: str | None) -> object:
        """Bring the schema up to date, and make what an installation has from its first start on."""
        return asyncio.run(self._first_start.prepare(settings, login_password=login_password))

    def demo(self, settings: Settings, _: Tell) -> object:
        """Make the demo school where there is none, and return its logins."""
        self._school = asyncio.run(self._first_start.make_demo_school(settings))
        if self._school is None:
            return None
        return {"password": self._school.password, "logins": [asdict(login) for login in self._school.logins]}

    def house(self, settings: Settings, _: Tell) -> None:
        """Start actors and routes."""
        self._house.open_house(settings)

    def tour(self, settings: Settings, tell: Tell) -> None:
        """Play the slice in the demo school."""
        if self._school is not None:
            self._tour.Tour(settings.http.local_url, self._school, tell).walk()


def _serve(steps: _Steps, questions: IO[str], answers: IO[str]) -> None:
    def say(answer: Mapping[str, object]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    for line in questions:
        question = json.loads(line)
        os.environ.update(question["environment"])
        try:
            step = getattr(steps, question["step"])
            result = step(Settings.from_environment(), lambda told: say({"told": told}), **question["given"])
            say({"result": result})
        except SchoolOSError as error:
            say({"error": type(error).__name__, "message": error.message})
        except Exception as error:  # noqa: BLE001 - the edge of the process: whatever it is, the parent must hear of it
            traceback.print_exc()
            say({"error": "Broken", "message": f"{question['step']} failed: {error}"})


def main() -> None:
    """Import everything, then do what is asked until the parent closes the pipe."""
    die_with(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to the log, and not among the answers
    _serve(_Steps(), sys.stdin, answers)


if __name__ == "__main__":
    main()
