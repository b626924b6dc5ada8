"""Builds the adapters of the notifiers.

Each kind of worker has its wiring apart from the others' and from ``cluster.wiring``: its process then imports nothing
of HTTP, spreadsheets, files or what else it does not use, is smaller by tens of MB, and back the sooner after a crash.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from uuid import uuid4

from actors.notifier import Notifier
from actors.pool_spec import PoolSpec, Worker, WorkerFactory
from actors.together import Together
from actors.webhooks import WebhookWorker
from cluster.garbage import rarely_collecting
from cluster.settings import Settings
from cluster.wiring_ground import (
    begin_telemetry,
    open_clock,
    open_database,
)
from cluster.wiring_keys import installation_key
from cluster.wiring_limits import open_limits
from cluster.wiring_senders import open_senders
from cluster.wiring_stream import open_stream
from core.adapters.webhook import HttpWebhooks
from core.clock import Clock
from core.events.consumer import ConsumerPolicy, EventConsumer
from core.events.dead_letters import DeadLetters
from core.notifications.absence_link import AbsenceLinks
from core.notifications.delivering import DeliveryLoop
from core.notifications.fallback import FallBack
from core.notifications.fanout import FanOut
from core.notifications.lane import DeliveryPolicy
from core.notifications.lifecycle import RetryPolicy
from core.notifications.model import Channel
from core.notifications.rendering import Templates
from core.notifications.webhooks_intake import WebhookIntake
from core.notifications.webhooks_loop import WebhookLoop, WebhookPolicy
from core.notifications.webhooks_signing import WebhookSecrets
from core.ports import Database


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


def notifier_factory(settings: Settings) -> WorkerFactory:
    """Return the picklable factory of notifiers."""
    return partial(open_notifier, settings)


def notifier_pool(settings: Settings) -> PoolSpec:
    """Return how the notifier pool is sized and watched."""
    return PoolSpec(
        name="notifier",
        minimum=settings.notifier.workers_min,
        maximum=settings.notifier.workers_max,
        namespace=settings.ray.namespace,
    )
