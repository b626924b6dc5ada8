"""The image, the compose file and the CI workflow keep their promises (P1-01 to P1-17, C-02)."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not among the development requirements

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments."""
    text = (ROOT / "cluster" / "image" / "Dockerfile").read_text()
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())]


def stages() -> list[list[tuple[str, str]]]:
    """Return the instructions of each stage."""
    found: list[list[tuple[str, str]]] = []
    for name, rest in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found


def load(path: str) -> Any:
    """Return a YAML file of the repository; ``on`` is a key, not a truth."""
    return yaml.load((ROOT / path).read_text(), Loader=yaml.BaseLoader)


def test_the_image_is_built_in_stages_from_pinned_bases() -> None:
    """A build stage and a slim one, each base by tag and digest (P1-01, P1-03)."""
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert len(bases) >= 2
    assert all(PINNED.fullmatch(base) for base in bases)
    assert "slim" in bases[-1]


def test_the_image_does_not_run_as_root() -> None:
    """The last stage changes to a user by number, which Kubernetes can check (P1-04)."""
    users = [rest for name, rest in stages()[-1] if name == "USER"]
    assert users
    assert int(users[-1].split(":")[0]) > 0


def test_the_image_holds_no_development_dependency() -> None:
    """Only the hashed run-time requirements are installed, and pip does not stay (C-02)."""
    text = "\n".join(rest for _, rest in instructions())
    assert "requirements-dev" not in text
    assert "--require-hashes -r requirements.txt" in text
    assert "pip uninstall" in text


def test_the_image_tells_its_health_and_stops_in_order() -> None:
    """The engine asks the readiness route, and what it starts gets its signals (C-02)."""
    last = dict(stages()[-1])
    assert "/readyz" in last["HEALTHCHECK"]
    assert "tini" in last["ENTRYPOINT"]


@pytest.mark.parametrize("entry", [".git", ".venv", "tests", "docs", ".schoolos", "requirements-dev.txt"])
def test_the_builder_gets_only_what_it_needs(entry: str) -> None:
    """Dependencies, history, tests and documents stay outside (P1-02)."""
    assert entry in (ROOT / ".dockerignore").read_text().split()


def test_everything_the_image_copies_is_there() -> None:
    """Each COPY from the repository names something that the builder is given."""
    ignored = set((ROOT / ".dockerignore").read_text().split())
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in shlex.split(rest)[:-1]
    ]
    assert copied
    assert all((ROOT / source).exists() for source in copied)
    assert not ignored & (set(copied) - {"README.md"})


def test_compose_waits_for_what_it_needs() -> None:
    """Postgres with pgvector and a durable Redis, each with a health check that SchoolOS waits for (P1-08, C-02)."""
    compose = load("compose.yaml")
    services = compose["services"]
    assert {"postgres", "redis", "schoolos"} <= set(services)
    needed = services["schoolos"]["depends_on"]
    assert {name: each["condition"] for name, each in needed.items()} == dict.fromkeys(
        ("postgres", "redis"), "service_healthy"
    )
    assert all(PINNED.fullmatch(services[name]["image"]) and services[name]["healthcheck"] for name in needed)
    assert "pgvector" in services["postgres"]["image"]
    command = services["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert {"pgdata", "redisdata"} <= set(compose["volumes"])
    assert {"SCHOOLOS_DATABASE_URL", "SCHOOLOS_REDIS_URL"} <= set(services["schoolos"]["environment"])


def test_no_secret_is_written_down() -> None:
    """Passwords come from the caller's environment; without them compose refuses to start."""
    text = (ROOT / "compose.yaml").read_text()
    assert text.count(":?") >= 2
    assert not re.search(r"PASSWORD: (?!\$)", text)


def test_ci_runs_on_main_and_pull_requests() -> None:
    """Every change is checked before and after it is merged (P1-10)."""
    workflow = load(".github/workflows/ci.yml")
    assert workflow["on"]["push"]["branches"] == ["main"]
    assert "pull_request" in workflow["on"]


def test_ci_runs_what_a_person_runs() -> None:
    """Lint and test are the Makefile's targets (P1-11, P1-12)."""
    jobs = load(".github/workflows/ci.yml")["jobs"]
    assert "make check" in [step.get("run") for step in jobs["lint"]["steps"]]
    assert "make test" in [step.get("run") for step in jobs["test"]["steps"]]


def test_ci_pushes_from_main_alone_what_was_scanned() -> None:
    """The image needs both jobs, is scanned before the push, and goes out by commit and as latest (P1-14, P1-17)."""
    build = load(".github/workflows/ci.yml")["jobs"]["build"]
    assert set(build["needs"]) == {"lint", "test"}
    names = [step.get("name", step.get("uses", "")) for step in build["steps"]]
    assert names.index("Build") < names.index("Scan") < names.index("Push")
    steps = {step.get("name"): step for step in build["steps"]}
    assert steps["Push"]["if"] == "github.event_name == 'push' && github.ref == 'refs/heads/main'"
    assert {"$IMAGE:${{ github.sha }}", "$IMAGE:latest"} <= set(
        re.findall(r'docker push "([^"]+)"', steps["Push"]["run"])
    )
    assert steps["Scan"]["with"]["exit-code"] == "1"
    assert steps["Build"]["with"]["cache-from"]
