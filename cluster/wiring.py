"""The only place that builds adapters and hands them to the nouns."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

from actors.notifier import Notifier
from actors.pool_spec import Backlog, BacklogFactory, PoolSpec, Worker, WorkerFactory
from actors.relay import RELAY_POOL, RelayWorker
from actors.scheduler import SCHEDULER_POOL, SchedulerWorker
from cluster.settings import Settings
from cluster.version import version
from core.access.oidc import OidcTokens
from core.access.tokens import LocalTokens, TokenVerifier
from core.access.use_cases import AccessUseCases
from core.adapters.africas_talking import AfricasTalkingSms
from core.adapters.jwks import HttpJwks
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.adapters.postgres_signal import PostgresSignal
from core.adapters.redis_stream import RedisEventStream
from core.adapters.s3_store import S3ObjectStore
from core.adapters.smtp import SmtpMail
from core.adapters.telemetry import TelemetryOptions, start_telemetry
from core.clock import Clock, SystemClock
from core.errors import InvalidInput
from core.events.consumer import ConsumerPolicy, EventConsumer
from core.events.dead_letters import DeadLetters
from core.events.outbox import WAKE_CHANNEL
from core.events.relay import Relay
from core.jobs.service import Jobs
from core.notifications.backlog import Backlog as NotifierBacklog
from core.notifications.delivering import DeliveryLoop
from core.notifications.fanout import FanOut
from core.notifications.lane import DeliveryPolicy
from core.notifications.lifecycle import RetryPolicy
from core.notifications.model import Channel
from core.notifications.ports import MessageSender
from core.notifications.service import Notifications
from core.ports import Database
from core.school.attendance.service import Attendance
from core.school.fees.reminding import FeeReminders
from core.school.fees.service import Fees
from core.school.founding import Founding
from core.school.importing.service import Imports
from core.school.marks.service import MarkUseCases
from core.school.records.service import Records
from deployments.app import AppOptions
from deployments.services import Services


def begin_telemetry(settings: Settings, role: str) -> None:
    """Set up logs, traces and figures of this process; ``role`` says what it is."""
    telemetry = settings.telemetry
    options = TelemetryOptions(telemetry.otlp_endpoint, telemetry.sample_ratio, telemetry.log_level)
    start_telemetry("schoolos", options, role=role)


@asynccontextmanager
async def open_database(settings: Settings, *, application_name: str) -> AsyncIterator[PostgresDatabase]:
    """Open the database; its connections are made at first use."""
    database = PostgresDatabase(
        _database_url(settings),
        application_name=application_name,
        pool_max=settings.database.pool_max,
    )
    try:
        yield database
    finally:
        await database.close()


def _database_url(settings: Settings) -> str:
    if settings.database.url is None:
        raise InvalidInput("SCHOOLOS_DATABASE_URL is not set and no embedded database runs; start with `schoolos up`")
    return settings.database.url.get_secret_value()


@asynccontextmanager
async def open_objects(settings: Settings) -> AsyncIterator[LocalObjectStore | S3ObjectStore]:
    """Open the place for files: the bucket where one is named, else a folder of this machine."""
    s3 = settings.s3
    if s3.bucket is None:
        links_url = f"{settings.http.url}/files"
        yield LocalObjectStore(settings.state_dir / "objects", links_url=links_url, clock=SystemClock())
        return
    store = S3ObjectStore(
        s3.bucket,
        endpoint=s3.endpoint,
        region=s3.region,
        access_key=s3.access_key.get_secret_value() if s3.access_key else None,
        secret_key=s3.secret_key.get_secret_value() if s3.secret_key else None,
    )
    try:
        yield store
    finally:
        store.close()


def make_tokens(settings: Settings, clock: Clock) -> LocalTokens:
    """Return the issuer of this installation's own tokens."""
    if settings.auth.signing_key is None:
        raise InvalidInput("SCHOOLOS_AUTH_SIGNING_KEY is not set; `schoolos up` makes one at its first start")
    return LocalTokens(
        settings.auth.signing_key.get_secret_value(),
        issuer=settings.http.url,
        audience=settings.auth.oidc_audience,
        ttl=settings.auth.access_ttl,
        clock=clock,
    )


def make_verifier(settings: Settings, db: Database, clock: Clock) -> tuple[TokenVerifier, LocalTokens | None]:
    """Return who verifies tokens, and who issues them: we ourselves, unless an identity provider is named."""
    auth = settings.auth
    if auth.oidc_issuer is None:
        own = make_tokens(settings, clock)
        return own, own
    source = HttpJwks(auth.oidc_issuer, auth.oidc_jwks_url)
    return OidcTokens(source, db, clock, issuer=auth.oidc_issuer, audience=auth.oidc_audience), None


@asynccontextmanager
async def open_services(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Services]:
    """Open everything the routes need, in order; close in reverse."""
    begin_telemetry(settings, "http")
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name="schoolos http"))
        objects = await stack.enter_async_context(open_objects(settings))
        tokens, own = make_verifier(settings, db, clock)
        access = stack.enter_context(AccessUseCases.over(db, clock, tokens=own, refresh_ttl=settings.auth.refresh_ttl))
        yield Services(
            tokens=tokens,
            probes={"database": db.ping, "objects": objects.ping},
            access=access,
            founding=Founding(db, clock, access.invitations),
            jobs=Jobs(db, clock),
            records=Records.over(db, clock),
            imports=Imports(db, clock, objects),
            marks=MarkUseCases.over(db, objects, clock),
            attendance=Attendance(db, clock),
            fees=Fees.over(db, clock),
            notifications=Notifications.over(db, clock),
            signed_files=objects if isinstance(objects, LocalObjectStore) else None,
        )


def app_options(settings: Settings) -> AppOptions:
    """Return what the HTTP ground is told."""
    http = settings.http
    return AppOptions(
        version=version(),
        cors_origins=http.cors_origins,
        rate_per_s=http.rate_per_s,
        burst=http.burst,
        upload_max_bytes=http.upload_max_bytes,
        trust_loopback=http.host in ("127.0.0.1", "::1", "localhost"),
    )


@asynccontextmanager
async def open_stream(settings: Settings, *, client_name: str) -> AsyncIterator[RedisEventStream]:
    """Open the event stream; its connections are made at first use."""
    if settings.redis.url is None:
        raise InvalidInput("SCHOOLOS_REDIS_URL is not set and no embedded Redis runs; start with `schoolos up`")
    stream = RedisEventStream(
        settings.redis.url.get_secret_value(), client_name=client_name, key_prefix=settings.redis.key_prefix
    )
    try:
        yield stream
    finally:
        await stream.close()


@asynccontextmanager
async def open_relay(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open one outbox relay in the process that will run it."""
    begin_telemetry(settings, name)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name=f"schoolos {name}"))
        stream = await stack.enter_async_context(open_stream(settings, client_name=f"schoolos {name}"))
        signal = PostgresSignal(_database_url(settings), WAKE_CHANNEL, application_name=f"schoolos {name} listener")
        stack.push_async_callback(signal.close)
        yield RelayWorker(Relay(db, stream, signal))


def relay_factory(settings: Settings) -> WorkerFactory:
    """Return the picklable factory of outbox relays; their pool's backlog is ``actors.relay.no_backlog``."""
    return partial(open_relay, settings)


def relay_pool(settings: Settings) -> PoolSpec:
    """Return how the relay's pool is watched: always one relay."""
    return replace(RELAY_POOL, namespace=settings.ray.namespace)


@asynccontextmanager
async def open_scheduler(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open one scheduler in the process that will run it."""
    begin_telemetry(settings, name)
    async with open_database(settings, application_name=f"schoolos {name}") as db:
        yield SchedulerWorker(FeeReminders(db, SystemClock()))


def scheduler_factory(settings: Settings) -> WorkerFactory:
    """Return the picklable factory of schedulers; their pool's backlog is ``actors.relay.no_backlog``."""
    return partial(open_scheduler, settings)


def scheduler_pool(settings: Settings) -> PoolSpec:
    """Return how the scheduler's pool is watched: always one scheduler."""
    return replace(SCHEDULER_POOL, namespace=settings.ray.namespace)


@asynccontextmanager
async def open_senders(settings: Settings) -> AsyncIterator[dict[Channel, MessageSender]]:
    """Open the provider of each channel that has one in the settings."""
    senders: dict[Channel, MessageSender] = {}
    mail, sms, timeout = settings.mail, settings.sms, settings.notifier.request_timeout
    if mail.host is not None:
        senders[Channel.EMAIL] = SmtpMail(
            mail.host,
            mail.port,
            sender=mail.sender,
            username=mail.username,
            password=mail.password.get_secret_value() if mail.password else None,
            security=mail.security,
            timeout=timeout,
        )
    if sms.endpoint is not None:
        if sms.api_key is None:
            raise InvalidInput("SCHOOLOS_SMS_ENDPOINT is set and SCHOOLOS_SMS_API_KEY is not; both are needed")
        senders[Channel.SMS] = AfricasTalkingSms(
            sms.endpoint,
            username=sms.username,
            api_key=sms.api_key.get_secret_value(),
            sender_id=sms.sender_id,
            timeout=timeout,
            connections=settings.notifier.concurrency,
        )
    try:
        yield senders
    finally:
        for sender in senders.values():
            await sender.close()


@asynccontextmanager
async def open_notifier(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open one notifier in the process that will run it. ``name`` stays with its place in the pool."""
    begin_telemetry(settings, name)
    notifier, clock = settings.notifier, SystemClock()
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name=f"schoolos {name}"))
        stream = await stack.enter_async_context(open_stream(settings, client_name=f"schoolos {name}"))
        senders = await stack.enter_async_context(open_senders(settings))
        policy = DeliveryPolicy(
            concurrency=notifier.concurrency,
            lease=notifier.lease,
            request_timeout=notifier.request_timeout,
            retry=RetryPolicy(notifier.retry_delays),
        )
        # The lease's owner is this very process: one that takes the place over must not pass for it.
        delivery = DeliveryLoop(db, clock, senders, policy, worker=f"{name}/{uuid4().hex[:8]}")
        fan_out = FanOut(db, clock, frozenset(senders), wake=delivery.wake)
        patience = ConsumerPolicy(
            block=timedelta(seconds=2),
            lease=notifier.lease,
            handle_timeout=min(timedelta(seconds=10), notifier.lease * 2 / 3),
        )
        consumer = EventConsumer(stream, DeadLetters(db), fan_out, name=name, policy=patience)
        yield Notifier(consumer, delivery)


@asynccontextmanager
async def open_notifier_backlog(settings: Settings) -> AsyncIterator[Backlog]:
    """Open what the notifier pool is sized by, in its supervisor's process."""
    begin_telemetry(settings, "notifier-supervisor")
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name="schoolos notifier backlog"))
        stream = await stack.enter_async_context(open_stream(settings, client_name="schoolos notifier backlog"))
        yield NotifierBacklog(db, stream, SystemClock())


def notifier_factory(settings: Settings) -> WorkerFactory:
    """Return the picklable factory of notifiers."""
    return partial(open_notifier, settings)


def notifier_backlog(settings: Settings) -> BacklogFactory:
    """Return the picklable factory of the notifier pool's backlog."""
    return partial(open_notifier_backlog, settings)


def notifier_pool(settings: Settings) -> PoolSpec:
    """Return how the notifier pool is sized and watched."""
    return PoolSpec(
        name="notifier",
        minimum=settings.notifier.workers_min,
        maximum=settings.notifier.workers_max,
        namespace=settings.ray.namespace,
    )
