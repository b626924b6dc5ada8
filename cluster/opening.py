"""The start itself, step by step: services, records, the house, the slice at work."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cluster.embedded.mailroom import Mailroom
from cluster.embedded.ports import free_ports, port_base
from cluster.embedded.postgres import EmbeddedPostgres
from cluster.embedded.process import ProcessMark
from cluster.embedded.ray import EmbeddedRay
from cluster.embedded.redis import EmbeddedRedis
from cluster.housekeeper import Housekeeper
from cluster.memory import memory_below
from cluster.resolved import as_environment, with_values
from cluster.settings import Settings
from cluster.state import RunRecord, StateFolder
from core.access import keys
from core.adapters.web_push_crypto import generate_vapid_key
from core.errors import SchoolOSError

_DRAIN_S = 40.0
"""A pool drains within 30 s; the rest is for joining the cluster."""


class Opening:
    """One start. What it starts is stopped in reverse order when the stack closes."""

    def __init__(self, settings: Settings, folder: StateFolder, console: Console, stack: ExitStack) -> None:
        self._settings = settings
        self._folder = folder
        self._console = console
        self._stack = stack
        self._began = time.monotonic()
        self._ports = port_base(folder.path)
        self._guard = ProcessMark.of(os.getppid())
        self._services: dict[str, ProcessMark] = {}
        self._ray: EmbeddedRay | None = None
        self._ray_environment: Mapping[str, str] = {}

    def open(self, *, demo: bool, tour: bool) -> None:
        """Start everything and return when the slice has been seen at work."""
        self._tell()
        shutil.rmtree(self._folder.path / "metrics", ignore_errors=True)  # figures of processes that are gone
        starting = self._begin_ray()
        helper = Housekeeper(self._ray_environment, self._folder.path / "start.log")
        with closing(helper):
            self._start_database()
            self._start_redis()
            self._start_mailroom()
            admin_password = self._prepare_records(helper)
            school = self._make_demo(helper) if demo else None
            self._finish_ray(starting)
            with self._step(f"Routes at {self._settings.http.url}"):
                self._stack.callback(self._drain)
                helper.ask("house", self._settings)
            if school and tour:
                self._play(helper)
        self._finish(admin_password, school)

    def _finish(self, admin_password: str | None, school: Any) -> None:
        """Say where everything is."""
        took, url = time.monotonic() - self._began, self._settings.http.url
        table = Table.grid(padding=(0, 2))
        table.add_row("OpenAPI", f"{url}/openapi.json")
        if self._ray is not None:
            token = self._folder.secret_path("ray-token")
            table.add_row("Dashboard", f"http://127.0.0.1:{self._settings.ray.dashboard_port} (its token: {token})")
        if admin_password is not None:
            table.add_row("Login", f"admin / {admin_password} (platform administrator; shown this once)")
        for login in school["logins"] if school else []:
            table.add_row("Login", f"{login['username']} / {school['password']} ({login['role'].replace('_', ' ')})")
        table.add_row("Memory", f"{sum(each.pss_bytes for each in memory_below(self._guard.pid)) / 1e6:,.0f} MB")
        table.add_row("Stop", "Ctrl-C, or `schoolos down`")
        self._console.print(f"[bold]SchoolOS is up[/] at {url} after {took:.0f} s")
        self._console.print(table)
        self._tell(took)

    def dead(self) -> str | None:
        """Return the name of a service that has ended, or None."""
        return next((name for name, mark in self._services.items() if not mark.alive()), None)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        """Show a step under way, and then how long it took."""
        began = time.monotonic()
        with self._console.status(name):
            yield
        self._console.print(f"[green]✓[/] {name} [dim]{time.monotonic() - began:.1f} s[/]")

    def _begin_ray(self) -> "subprocess.Popen[bytes] | None":
        """Begin with what takes longest; it starts while the rest does."""
        ray = self._settings.ray
        if ray.address is not None:
            self._ray_environment = {"RAY_ADDRESS": ray.address}
            return None
        self._folder.secret("ray-token")
        self._ray = EmbeddedRay(
            self._folder.path / "ray",
            token_file=self._folder.secret_path("ray-token"),
            dashboard_port=ray.dashboard_port,
            object_store_bytes=ray.object_store_bytes,
            near_port=self._ports + 4,
        )
        self._ray_environment = self._ray.environment
        self._stack.callback(self._ray.stop)
        return self._ray.begin()

    def _finish_ray(self, starting: "subprocess.Popen[bytes] | None") -> None:
        if self._ray is None or starting is None:
            return
        with self._step(f"Ray, dashboard at http://127.0.0.1:{self._settings.ray.dashboard_port}"):
            self._ray.finish(starting)
        if (head := self._ray.head) is not None:
            self._services["Ray's head"] = head
        self._tell()

    def _start_database(self) -> None:
        if self._settings.database.url is not None:
            return
        server = EmbeddedPostgres(self._folder.path / "postgres", near_port=self._ports)
        self._stack.callback(server.stop)
        with self._step("PostgreSQL"):
            url = SecretStr(server.start())
        self._resolve(database={"url": url, "owner_url": url})
        self._note("PostgreSQL", server.pid)

    def _start_redis(self) -> None:
        if self._settings.redis.url is not None:
            return
        server = EmbeddedRedis(self._folder.path / "redis", near_port=self._ports + 1)
        self._stack.callback(server.stop)
        with self._step("Redis"):
            self._resolve(redis={"url": SecretStr(server.start())})
        self._note("Redis", server.pid)

    def _start_mailroom(self) -> None:
        """Stand in for the providers that no address was given for."""
        mail, sms = self._settings.mail, self._settings.sms
        mails = mail.host is not None or self._settings.ses.is_set
        texts = sms.endpoint is not None or self._settings.twilio.account_sid is not None
        if mails and texts:
            return
        smtp_port, sms_port = free_ports(2, near=self._ports + 2)
        mailroom = Mailroom(self._folder.path / "mailroom", smtp_port, sms_port)
        self._stack.callback(mailroom.stop)
        with self._step(f"Mailroom for e-mail and SMS in {self._folder.path / 'mailroom'}"):
            mailroom.start()
        if not mails:
            self._resolve(mail={"host": "127.0.0.1", "port": smtp_port, "security": "none"})
        if not texts:
            self._resolve(
                sms={"endpoint": mailroom.sms_endpoint, "api_key": SecretStr("mailroom"), "honours_keys": True}
            )

    def _prepare_records(self, helper: Housekeeper) -> str | None:
        """Migrate, and return the administrator's password where this start made it."""
        key = self._settings.auth.signing_key
        if key is None:
            self._resolve(auth={"signing_key": SecretStr(self._folder.secret("signing-key.pem", keys.generate))})
        if self._settings.push.vapid_key is None:
            self._resolve(push={"vapid_key": SecretStr(self._folder.secret("vapid-key.pem", generate_vapid_key))})
        embedded = "PostgreSQL" in self._services
        with self._step("Records"):
            password = self._folder.secret("database-password") if embedded else None
            told = helper.ask("records", self._settings, login_password=password)
        if embedded:
            self._resolve(database={"url": SecretStr(told["database_url"])})
        self._tell()
        made: str | None = told["admin_password"]
        return made

    def _make_demo(self, helper: Housekeeper) -> Any:
        with self._step("Demo school"):
            return helper.ask("demo", self._settings)

    def _drain(self) -> None:
        """Let the workers finish: a message under way at a provider without idempotency keys would go out twice."""
        with self._console.status("Letting the workers finish ..."), suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, "-m", "cluster.pools"],
                env={**os.environ, **as_environment(self._settings), **self._ray_environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_DRAIN_S,
                check=False,  # what does not drain is ended with the cluster; leases and keys bring it back
            )

    def _play(self, helper: Housekeeper) -> None:
        """Show a teacher's marks on their way to the guardians."""
        self._console.print("The slice, over HTTP, with the demo's logins:")
        try:
            with self._console.status("Playing ..."):
                helper.ask("tour", self._settings, tell=lambda told: self._console.print(f"  [cyan]·[/] {told}"))
        except SchoolOSError as error:  # the system is up, and is what one needs to find out why
            self._console.print(f"  [red]✗[/] {escape(error.message)}")

    def _resolve(self, **values: Mapping[str, object]) -> None:
        self._settings = with_values(self._settings, values)

    def _note(self, name: str, pid: int | None) -> None:
        if pid is not None:
            self._services[name] = ProcessMark.of(pid)
        self._tell()

    def _tell(self, ready_after_s: float | None = None, summary: str = "") -> None:
        self._folder.write_record(
            RunRecord(
                guard=self._guard,
                environment=as_environment(self._settings),
                ray_environment=dict(self._ray_environment),
                processes=dict(self._services),
                ready_after_s=ready_after_s,
                summary=summary,
            )
        )
