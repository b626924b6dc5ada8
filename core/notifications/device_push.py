"""The sender of channel ``device``: one message to every device a person has registered."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from core.errors import InvalidInput, SchoolOSError
from core.ids import PushDeviceId, UserId
from core.notifications import device_store
from core.notifications.devices import DeviceKind, WebAddress
from core.notifications.model import OutgoingMessage, Reason, Receipt
from core.notifications.ports import MessageSender, refusal
from core.ports import Database, Row
from core.telemetry import get_logger

log = get_logger("notifications")


@dataclass(frozen=True, slots=True)
class _Tried:
    device: PushDeviceId
    provider: str
    result: Receipt | SchoolOSError | TimeoutError

    @property
    def gone(self) -> bool:
        """Tell whether the device no longer takes push."""
        return isinstance(self.result, InvalidInput) and any(
            fault.code == Reason.NO_DEVICE for fault in self.result.faults
        )


class DevicePush:
    """Takes a user's id as address. One device that accepts is enough; those that are gone are forgotten."""

    provider = "device_push"

    def __init__(self, db: Database, senders: Mapping[DeviceKind, MessageSender]) -> None:
        self._db = db
        self._senders = senders

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Hand a message to all devices; return the first receipt, or raise why none took it."""
        user_id = UserId(UUID(message.address))
        async with self._db.dispatch() as tx:
            rows = await device_store.addresses(tx, user_id)
        tried = await asyncio.gather(*(self._try(row, message) for row in rows if row["kind"] in self._senders))
        await self._forget(user_id, [each.device for each in tried if each.gone])
        receipts = [(each.provider, each.result) for each in tried if isinstance(each.result, Receipt)]
        if receipts:
            provider, receipt = receipts[0]
            return replace(receipt, provider=provider, detail=f"{len(receipts)} of {len(tried)} devices")
        raise _worst(tried)

    async def close(self) -> None:
        """Close every provider."""
        for sender in self._senders.values():
            await sender.close()

    async def _try(self, row: Row, message: OutgoingMessage) -> _Tried:
        sender = self._senders[row["kind"]]
        try:
            result: Receipt | SchoolOSError | TimeoutError
            result = await sender.send(replace(message, address=_address(row)))
        except (SchoolOSError, TimeoutError) as error:
            result = error
        return _Tried(row["id"], sender.provider, result)

    async def _forget(self, user_id: UserId, gone: list[PushDeviceId]) -> None:
        if gone:
            async with self._db.dispatch() as tx:
                removed = await device_store.remove(tx, user_id, gone)
            log.info("devices_gone", user_id=str(user_id), removed=removed)


def _worst(tried: list[_Tried]) -> Exception:
    """Return why no device took it: what may pass, where there is such, so that it is tried again."""
    errors = [each.result for each in tried if isinstance(each.result, Exception)]
    errors.sort(key=lambda error: isinstance(error, InvalidInput))
    return errors[0] if errors else refusal("no device is registered any more", Reason.NO_DEVICE)


def _address(row: Row) -> str:
    if row["kind"] == DeviceKind.WEB:
        return WebAddress(row["endpoint"], row["p256dh"], row["auth"]).written()
    return str(row["endpoint"])
