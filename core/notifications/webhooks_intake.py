"""From an event to its webhooks: beside the handler that tells guardians, each once whatever is delivered again."""

from collections.abc import Callable

from core.clock import Clock
from core.events.consumer import Handler
from core.events.envelope import Event
from core.notifications import webhooks_loop_store
from core.ports import Database
from core.telemetry import current_traceparent, get_logger, span

log = get_logger("notifications")


class WebhookIntake:
    """A handler of events: has them told to guardians, then queues them for the school's endpoints."""

    def __init__(self, db: Database, clock: Clock, then: Handler, wake: Callable[[], None] = lambda: None) -> None:
        """Take what else is done with an event, and whom to tell that webhooks are due."""
        self._db = db
        self._clock = clock
        self._handler = then
        self._wake = wake

    async def __call__(self, event: Event) -> None:
        """Handle an event. Raises what the other handler raises; then nothing is queued."""
        await self._handler(event)
        with span("queue-webhooks", event.traceparent, event_id=str(event.id)):
            async with self._db.tenant(event.school_id) as tx:
                queued = await webhooks_loop_store.enqueue(tx, event.id, self._clock.now(), current_traceparent())
        if queued:
            log.info("webhooks_queued", event_id=str(event.id), endpoints=queued)
            self._wake()
