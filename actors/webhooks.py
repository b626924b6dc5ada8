"""The sending of webhooks as a part of the notifier's worker."""

from collections.abc import Mapping

from core.notifications.webhooks_loop import WebhookLoop


class WebhookWorker:
    """Runs the loop until it is drained."""

    def __init__(self, loop: WebhookLoop) -> None:
        self._loop = loop

    async def start(self) -> None:
        """Begin to send."""
        await self._loop.start()

    async def ping(self) -> Mapping[str, float]:
        """Return the loop's figures. Raises what ended it, so that the pool replaces the worker."""
        return self._loop.gauges()

    async def drain(self, deadline_s: float) -> None:
        """Finish what is under way and give back the rest."""
        await self._loop.stop(deadline_s)
