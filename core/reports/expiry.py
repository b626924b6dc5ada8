"""What removes printed files whose time has run out, once a day."""

from datetime import timedelta

from core.errors import Broken
from core.events.looping import Stoppable
from core.ports import ExpiringFiles
from core.telemetry import get_logger

log = get_logger("reports")

EVERY = timedelta(hours=24)


class Expiry:
    """Looks over the store until stopped. Several beside each other do no harm."""

    def __init__(self, files: ExpiringFiles, every: timedelta = EVERY) -> None:
        self._files = files
        self._every = every
        self._loops = Stoppable("expiry")
        self.removed = 0

    async def run(self) -> None:
        """Look again and again, until stopped; a store that is away is tried again shortly."""
        await self._loops.loop(self._turn)

    def stop(self) -> None:
        """Let ``run`` end after the look under way."""
        self._loops.stop()

    async def _turn(self) -> None:
        try:
            removed = await self._files.expire()
        except Broken as error:  # whoever owns the bucket sets its rules, and gave us no right to
            log.warning("expiry_not_ours", error=error.message)
        else:
            self.removed += removed
            log.info("expired_files_removed", files=removed)
        await self._loops.pause(self._every)
