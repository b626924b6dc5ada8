"""Every setting of the system: one frozen tree, read once by the entry point and handed down.

``SCHOOLOS_DATABASE_URL`` is ``settings.database.url``: the first word after the prefix names the group.
What is left unset is started on this machine by ``schoolos up``.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import Fault, InvalidInput

PREFIX = "SCHOOLOS_"


class _Group(BaseModel, frozen=True, extra="forbid"):
    """A group of settings; an unknown key is refused."""


class DatabaseSettings(_Group):
    """PostgreSQL 16 or later with pgvector."""

    url: SecretStr | None = None
    """Login of the running system: a member of schoolos_app, schoolos_dispatch and schoolos_directory."""
    owner_url: SecretStr | None = None
    """Login for migrations; ``url`` where unset."""
    pool_max: int = Field(default=5, ge=1, le=50)
    """Connections a process may hold. Replicas and actors times this must stay under max_connections."""


class RedisSettings(_Group):
    """Redis 6.2 or later, for the event stream and limits; not the one Ray keeps its own state in."""

    url: SecretStr | None = None
    key_prefix: str = ""
    """Put before every key, so that tests share a server."""


class S3Settings(_Group):
    """An S3 bucket for files; a local folder is used where no bucket is named."""

    bucket: str | None = None
    endpoint: str | None = None
    region: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None


class HttpSettings(_Group):
    """The HTTP ground."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    public_url: str | None = None
    """How browsers reach the system; ``http://host:port`` where unset."""
    cors_origins: tuple[str, ...] = ()
    """Origins of portals that may call from a browser."""
    rate_per_s: float = Field(default=50, gt=0)
    """Requests a second one user may make, averaged; 429 past it."""
    burst: int = Field(default=200, ge=1)
    """Requests one user may make at once after a pause."""
    upload_max_bytes: int = Field(default=5 * 1024 * 1024, ge=1024)
    """A class sheet is about 12 kB, a school's import workbook under 1 MB."""

    @property
    def url(self) -> str:
        """How browsers reach the system."""
        return (self.public_url or self.local_url).rstrip("/")

    @property
    def local_url(self) -> str:
        """How this machine itself reaches the system."""
        everywhere = self.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
        return f"http://{'127.0.0.1' if everywhere else self.host}:{self.port}"


class AuthSettings(_Group):
    """Who signs the tokens."""

    signing_key: SecretStr | None = None
    """PEM of the local Ed25519 key; made at first start where unset. Not used with an OIDC issuer."""
    oidc_issuer: str | None = None
    oidc_audience: str = "schoolos"
    oidc_jwks_url: str | None = None
    """Read from the issuer's discovery document where unset."""
    access_ttl: timedelta = timedelta(minutes=15)
    refresh_ttl: timedelta = timedelta(days=14)


class MailSettings(_Group):
    """The SMTP server for email."""

    host: str | None = None
    port: int = Field(default=587, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = "no-reply@schoolos.invalid"
    rate_per_s: float = Field(default=0, ge=0)
    """Mails a second the SMTP server takes; 0 where it has no limit."""
    providers: tuple[Literal["smtp", "ses"], ...] = ("smtp", "ses")
    """The order in which they are asked; what is not set up is left out."""


class SesSettings(_Group):
    """Amazon SES, for email; used where a region or an endpoint is set. The sender is ``mail.sender``."""

    region: str | None = None
    endpoint: str | None = None
    """Another server that speaks SES's API."""
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    """Found the usual way (instance role, profile) where unset."""
    configuration_set: str | None = None
    """The one that publishes events to the topic below."""
    topic_arn: str | None = None
    """SNS topic of the events, subscribed to ``/api/providers/ses/receipts``; signature version 2."""
    rate_per_s: float = Field(default=0, ge=0)
    """The account's sending rate, as ``GetSendQuota`` tells it; 0: no limit, SES throttles what is too much."""

    @property
    def is_set(self) -> bool:
        """Tell whether SES is to be used."""
        return self.region is not None or self.endpoint is not None


class TwilioSettings(_Group):
    """Twilio, for SMS; used where an account is named."""

    endpoint: str = "https://api.twilio.com"
    account_sid: str | None = None
    auth_token: SecretStr | None = None
    sender: str | None = None
    """A number, an alphanumeric sender, or a messaging service (``MG...``)."""
    promotional_sender: str | None = None
    """The same for what a school calls promotional: Twilio has a messaging service for each use case
    (https://www.twilio.com/docs/messaging/services). ``sender`` where unset."""
    rate_per_s: float = Field(default=0, ge=0)
    """Messages a second the account may send; 0: no limit, Twilio queues what is too much."""


class PushSettings(_Group):
    """Web Push, to browsers."""

    vapid_key: SecretStr | None = None
    """Private key of the curve P-256 by which push services know us: PEM, or 32 bytes in base64url. Off where unset;
    `schoolos up` makes one at its first start. A new key ends every browser's subscription."""
    contact: str | None = None
    """``mailto:`` or ``https:`` address by which a push service reaches the operator; mail's sender where unset."""
    hosts: tuple[str, ...] = (
        "fcm.googleapis.com",
        "updates.push.services.mozilla.com",
        "*.push.services.mozilla.com",
        "*.notify.windows.com",
        "web.push.apple.com",
        "*.push.apple.com",
    )
    """Push services that may be called: a subscription's address comes from a user. One's own: ``http://host:port``."""


class FcmSettings(_Group):
    """Firebase Cloud Messaging, to phones; used where a service account is given."""

    endpoint: str = "https://fcm.googleapis.com"
    service_account: SecretStr | None = None
    """The JSON of the service account's key file."""


class SmsSettings(_Group):
    """SMS, and Africa's Talking for it."""

    providers: tuple[Literal["africas-talking", "twilio"], ...] = ("africas-talking", "twilio")
    """The order in which they are asked; what is not set up is left out."""
    callback_secret: SecretStr | None = None
    """End of Africa's Talking's callback, ``/api/providers/africas-talking/receipts/<secret>``: it signs nothing."""
    endpoint: str | None = None
    """Base of Africa's Talking's API; it is off where unset."""
    username: str = "sandbox"
    api_key: SecretStr | None = None
    sender_id: str | None = None
    promotional_sender_id: str | None = None
    """The sender id that is registered as promotional, for what a school calls so; in Nigeria it carries nothing from
    20:00 to 08:00 (https://status.africastalking.com/incident/538/). ``sender_id`` where unset."""
    rate_per_s: float = Field(default=30, ge=0)
    """Messages a second the account may send, over all workers (P2-15); 0 where there is no limit."""
    honours_keys: bool = False
    """The endpoint takes a message once for each ``Idempotency-Key``, so that one in doubt is simply sent again.
    Africa's Talking does not; the development stand-in does."""


class NotifierSettings(_Group):
    """The pool that delivers messages."""

    workers_min: int = Field(default=1, ge=0)
    workers_max: int = Field(default=2, ge=1)
    concurrency: int = Field(default=50, ge=1)
    """Deliveries one worker has under way at once (P2-11)."""
    lease: timedelta = timedelta(seconds=15)
    """How long a claimed delivery is its worker's own; a dead worker's come back after it."""
    retry_delays: tuple[timedelta, ...] = (timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=30))
    """Waits between attempts (P2-12); after the last the delivery is dead."""
    request_timeout: timedelta = timedelta(seconds=10)
    at_most_once: tuple[str, ...] = ("fee.reminder",)
    """Event types of which a message in doubt (its worker was lost, or no answer came) is not sent again where the
    provider knows no idempotency keys. It is then dead with the reason ``in_doubt`` and can be resent by hand."""


class ReportsSettings(_Group):
    """The pool that prints report cards and sheets; it runs where there is a Chromium."""

    workers_min: int = Field(default=1, ge=0)
    """With none, the first print of an idle system waits for a process and a browser to start."""
    workers_max: int = Field(default_factory=lambda: min(10, os.cpu_count() or 1), ge=1)
    """As many as cores, because each keeps one busy; ten at most where nothing is set (P5-10)."""
    browser_idle_s: float = Field(default=600.0, ge=0)
    """A browser, half a gigabyte, ends when it printed nothing for so long; the next print waits for another.

    With 0 each worker starts its browser at once and keeps it.
    """


class WebhookSettings(_Group):
    """Webhooks out, sent by the notifiers."""

    concurrency: int = Field(default=20, ge=1)
    """Requests one worker has under way at once; one endpoint has a fifth of them at most."""
    request_timeout: timedelta = timedelta(seconds=15)
    allow_loopback: bool = False
    """Let this machine itself be an endpoint, also by http. For development: on a server it opens what is behind it."""


class TelemetrySettings(_Group):
    """Traces, metrics and logs."""

    otlp_endpoint: str | None = None
    """Base of an OTLP/HTTP collector such as ``http://otel-collector:4318``; no traces leave where unset."""
    sample_ratio: float = Field(default=1.0, ge=0, le=1)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class RaySettings(_Group):
    """The Ray cluster."""

    address: str | None = None
    """An existing cluster; one is started on this machine where unset."""
    dashboard_port: int = Field(default=8265, ge=1, le=65535)
    object_store_bytes: int = Field(default=100 * 1024 * 1024, ge=80 * 1024 * 1024)
    namespace: str = "schoolos"


class Settings(BaseSettings):
    """All settings. ``Settings()`` reads the environment; tests hand values in."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="_", env_nested_max_split=1, frozen=True, extra="forbid"
    )

    state_dir: Path = Path(".schoolos")
    """The one folder that holds what the embedded services keep."""
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    s3: S3Settings = S3Settings()
    http: HttpSettings = HttpSettings()
    auth: AuthSettings = AuthSettings()
    mail: MailSettings = MailSettings()
    sms: SmsSettings = SmsSettings()
    ses: SesSettings = SesSettings()
    twilio: TwilioSettings = TwilioSettings()
    push: PushSettings = PushSettings()
    fcm: FcmSettings = FcmSettings()
    notifier: NotifierSettings = NotifierSettings()
    reports: ReportsSettings = ReportsSettings()
    webhook: WebhookSettings = WebhookSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    ray: RaySettings = RaySettings()

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the environment. Raises ``InvalidInput`` for a variable with our prefix that means nothing."""
        refuse_unknown(os.environ)
        return cls()


def known_variables() -> dict[str, str]:
    """Return every environment variable that is read, with its setting's dotted path."""
    names: dict[str, str] = {}
    for group, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, _Group):
            for name in kind.model_fields:
                names[f"{PREFIX}{group}_{name}".upper()] = f"{group}.{name}"
        else:
            names[f"{PREFIX}{group}".upper()] = group
    return names


def refuse_unknown(environment: Mapping[str, str]) -> None:
    """Raise ``InvalidInput`` for each variable with our prefix that no setting reads: it is a typing error."""
    known = known_variables()
    strays = [name for name in environment if name.startswith(PREFIX) and name not in known]
    if strays:
        faults = [
            Fault(name, f"{name} is no setting; `schoolos doctor` lists them", "unknown") for name in sorted(strays)
        ]
        raise InvalidInput(f"unknown settings: {', '.join(sorted(strays))}", faults)
