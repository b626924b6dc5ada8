"""Builds the adapters of the pools' workers.

Apart from ``cluster.wiring``, because a worker's process then imports nothing of HTTP, spreadsheets or files: each is
smaller by 40 MB, and back the sooner after a crash.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

from actors.expiry import ExpiryWorker
from actors.jobs import SweepWorker
from actors.notifier import Notifier
from actors.pool_spec import Backlog, BacklogFactory, PoolSpec, Worker, WorkerFactory
from actors.relay import RELAY_POOL, RelayWorker
from actors.retention import RetentionWorker
from actors.scheduler import SCHEDULER_POOL, SchedulerWorker
from actors.together import Together
from actors.webhooks import WebhookWorker
from cluster.garbage import rarely_collecting
from cluster.settings import Settings
from cluster.wiring_ground import (
    begin_telemetry,
    database_url,
    installation_key,
    open_clock,
    open_database,
    open_stream,
)
from cluster.wiring_limits import channel_rates, open_limits
from cluster.wiring_objects import open_objects
from cluster.wiring_senders import open_senders
from core.adapters.postgres_signal import PostgresSignal
from core.adapters.webhook import HttpWebhooks
from core.clock import Clock, SystemClock
from core.events.consumer import ConsumerPolicy, EventConsumer
from core.events.dead_letters import DeadLetters
from core.events.outbox import WAKE_CHANNEL
from core.events.relay import Relay
from core.jobs.sweeping import JobSweeper
from core.notifications.absence_link import AbsenceLinks
from core.notifications.backlog import Backlog as NotifierBacklog
from core.notifications.delivering import DeliveryLoop
from core.notifications.fallback import FallBack
from core.notifications.fanout import FanOut
from core.notifications.lane import DeliveryPolicy
from core.notifications.lifecycle import RetryPolicy
from core.notifications.model import Channel
from core.notifications.rendering import Templates
from core.notifications.retention import Retention
from core.notifications.webhooks_intake import WebhookIntake
from core.notifications.webhooks_loop import WebhookLoop, WebhookPolicy
from core.notifications.webhooks_signing import WebhookSecrets
from core.ports import Database
from core.reports.batch_store import waiting_work
from core.reports.expiry import Expiry
from core.school.fees.reminding import FeeReminders


@asynccontextmanager
async def open_relay(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open one outbox relay in the process that will run it."""
    begin_telemetry(settings, name)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name=f"schoolos {name}"))
        stream = await stack.enter_async_context(open_stream(settings, client_name=f"schoolos {name}"))
        signal = PostgresSignal(database_url(settings), WAKE_CHANNEL, application_name=f"schoolos {name} listener")
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
    async with (
        open_database(settings, application_name=f"schoolos {name}") as db,
        open_objects(settings) as objects,
    ):
        yield Together(
            [
                SchedulerWorker(FeeReminders(db, SystemClock())),
                RetentionWorker(Retention(db, SystemClock())),
                SweepWorker(JobSweeper(db, SystemClock())),
                ExpiryWorker(Expiry(objects)),
            ]
        )


def scheduler_factory(settings: Settings) -> WorkerFactory:
    """Return the picklable factory of schedulers; their pool's backlog is ``actors.relay.no_backlog``."""
    return partial(open_scheduler, settings)


def scheduler_pool(settings: Settings) -> PoolSpec:
    """Return how the scheduler's pool is watched: always one scheduler."""
    return replace(SCHEDULER_POOL, namespace=settings.ray.namespace)


@asynccontextmanager
async def open_upkeep(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open the relay and the scheduler in one process: on one machine each needs little of its own."""
    async with open_relay(settings, f"{name}-relay") as relay, open_scheduler(settings, f"{name}-scheduler") as hours:
        yield Together([relay, hours])


def upkeep_factory(settings: Settings) -> WorkerFactory:
    """Return the picklable factory of upkeep; its pool's backlog is ``actors.relay.no_backlog``."""
    return partial(open_upkeep, settings)


def upkeep_pool(settings: Settings) -> PoolSpec:
    """Return how upkeep is watched: always one."""
    return PoolSpec(name="upkeep", minimum=1, maximum=1, drain_s=10.0, namespace=settings.ray.namespace)


@asynccontextmanager
async def open_notifier(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open one notifier in the process that will run it. ``name`` stays with its place in the pool."""
    begin_telemetry(settings, name)
    notifier = settings.notifier
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name=f"schoolos {name}"))
        clock = await stack.enter_async_context(open_clock(db))
        stream = await stack.enter_async_context(open_stream(settings, client_name=f"schoolos {name}"))
        limits = await stack.enter_async_context(open_limits(settings))
        senders = await stack.enter_async_context(open_senders(settings, db, clock, limits))
        policy = DeliveryPolicy(
            concurrency=notifier.concurrency,
            lease=notifier.lease,
            request_timeout=notifier.request_timeout,
            retry=RetryPolicy(notifier.retry_delays),
            keyed=frozenset({Channel.SMS}) if _keys_are_honoured(settings) else frozenset(),
            at_most_once=frozenset(notifier.at_most_once),
        )
        # The lease's owner is this very process: one that takes the place over must not pass for it.
        worker = f"{name}/{uuid4().hex[:8]}"
        delivery = DeliveryLoop(
            db, clock, senders, policy, worker=worker, templates=_templates(settings), limits=limits.of_channel
        )
        webhooks = await _open_webhooks(stack, settings, db, clock, worker)
        fan_out = FanOut(db, clock, frozenset(senders), wake=delivery.wake)
        patience = ConsumerPolicy(
            block=timedelta(seconds=2),
            lease=notifier.lease,
            handle_timeout=min(timedelta(seconds=10), notifier.lease * 2 / 3),
        )
        handler = WebhookIntake(db, clock, fan_out, webhooks.wake) if webhooks else fan_out
        consumer = EventConsumer(stream, DeadLetters(db), handler, name=name, policy=patience)
        notifying = Notifier(consumer, delivery, FallBack(db, clock, frozenset(senders), wake=delivery.wake))
        stack.enter_context(rarely_collecting())
        yield Together([notifying, WebhookWorker(webhooks)]) if webhooks else notifying


def _keys_are_honoured(settings: Settings) -> bool:
    # By every provider that may be asked for the same message.
    return settings.sms.honours_keys and settings.twilio.account_sid is None


def _templates(settings: Settings) -> Templates:
    key = installation_key(settings)
    return Templates(beside=AbsenceLinks(key, settings.http.url).of) if key else Templates()


async def _open_webhooks(
    stack: AsyncExitStack, settings: Settings, db: Database, clock: Clock, worker: str
) -> WebhookLoop | None:
    """Return the loop that sends webhooks; None without a key to derive their secrets from."""
    key, bounds = installation_key(settings), settings.webhook
    if key is None:
        return None
    poster = HttpWebhooks(timeout=bounds.request_timeout, loopback=bounds.allow_loopback)
    stack.push_async_callback(poster.close)
    policy = WebhookPolicy(
        concurrency=bounds.concurrency,
        of_one_endpoint=max(1, bounds.concurrency // 5),
        request_timeout=bounds.request_timeout,
        lease=3 * bounds.request_timeout,
    )
    return WebhookLoop(db, clock, poster, WebhookSecrets(key), worker=worker, policy=policy)


@asynccontextmanager
async def open_notifier_backlog(settings: Settings) -> AsyncIterator[Backlog]:
    """Open what the notifier pool is sized by, in its supervisor's process."""
    begin_telemetry(settings, "notifier-supervisor")
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name="schoolos notifier backlog"))
        stream = await stack.enter_async_context(open_stream(settings, client_name="schoolos notifier backlog"))
        clock = await stack.enter_async_context(open_clock(db))
        yield NotifierBacklog(db, stream, clock, rates=channel_rates(settings))


@asynccontextmanager
async def open_printer_backlog(settings: Settings) -> AsyncIterator[Backlog]:
    """Open what the printing pool is sized by, in its supervisor's process, which needs nothing that prints."""
    begin_telemetry(settings, "pdf-supervisor")
    async with open_database(settings, application_name="schoolos pdf backlog") as db:
        yield partial(waiting_work, db)


def printer_backlog(settings: Settings) -> BacklogFactory:
    """Return the picklable factory of the printing pool's backlog."""
    return partial(open_printer_backlog, settings)


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
