"""The part of a start that needs the whole system imported, as one child process.

`schoolos up` starts it first, so that it imports while the services start, asks it for one step after another, and
lets it go when the house is open: what it imported does not stay in memory.

One JSON object a line each way: ``{"step": name, "environment": {...}, "given": {...}}``, and ``{"result": ...}`` or
``{"error": kind, "message": ...}``.
"""

import asyncio
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from cluster.resolved import as_environment
from cluster.settings import Settings
from core import errors
from core.errors import Broken, SchoolOSError, Unavailable


class Housekeeper:
    """The child, as its parent sees it."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        """Start the child with these variables added; what it writes to standard error goes to the log."""
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cluster.housekeeper"],
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                text=True,
            )

    def ask(self, step: str, settings: Settings, **given: object) -> Any:
        """Have a step done and return its result. Raises what the step raised."""
        question = {"step": step, "environment": as_environment(settings), "given": given}
        try:
            _pipe(self._process.stdin).write(json.dumps(question) + "\n")
            _pipe(self._process.stdin).flush()
            answer = json.loads(_pipe(self._process.stdout).readline())
        except (OSError, ValueError) as error:
            raise Unavailable(f"the start's helper ended while it did its step {step}; see {self._log}") from error
        if "error" in answer:
            kind = getattr(errors, answer["error"], Broken)
            told = f"{answer['message']}; see {self._log}" if kind is Broken else answer["message"]
            raise kind(told)
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


def _serve(steps: Mapping[str, Callable[..., object]], questions: IO[str], answers: IO[str]) -> None:
    for line in questions:
        question = json.loads(line)
        os.environ.update(question["environment"])
        answer: dict[str, object]
        try:
            answer = {"result": steps[question["step"]](Settings.from_environment(), **question["given"])}
        except SchoolOSError as error:
            answer = {"error": type(error).__name__, "message": error.message}
        except Exception as error:  # noqa: BLE001 - the edge of the process: whatever it is, the parent must hear of it
            traceback.print_exc()
            answer = {"error": "Broken", "message": f"{question['step']} failed: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Import everything, then do what is asked until the parent closes the pipe."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to the log, and not among the answers
    from cluster.first_start import make_demo_school, prepare  # noqa: PLC0415 - Settings are enough for the parent
    from cluster.house import close_house, open_house  # noqa: PLC0415 - imports Ray

    def records(settings: Settings, *, login_password: str | None) -> object:
        return asyncio.run(prepare(settings, login_password=login_password))

    def demo(settings: Settings) -> object:
        return asyncio.run(make_demo_school(settings))

    steps: dict[str, Callable[..., object]] = {
        "records": records,
        "demo": demo,
        "house": open_house,
        "close": close_house,
    }
    _serve(steps, sys.stdin, answers)


if __name__ == "__main__":
    main()
