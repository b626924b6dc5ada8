"""The use cases of a person's own devices."""

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Conflict, NotFound
from core.ids import PushDeviceId, new_id
from core.notifications import device_store
from core.notifications.devices import Device, DeviceKind, Registration, check
from core.ports import Database, Row


class Devices:
    """Registers, lists and removes the caller's devices."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        kinds: frozenset[DeviceKind] = frozenset(),
        hosts: tuple[str, ...] = (),
        vapid_key: str | None = None,
    ) -> None:
        """Take the kinds that can be reached, the push services' hosts, and the public key browsers subscribe with."""
        self._db = db
        self._clock = clock
        self._kinds = kinds
        self._hosts = hosts
        self._vapid_key = vapid_key

    async def register(self, principal: Principal, *, registration: Registration) -> Device:
        """Register a device, or renew it. Raises ``InvalidInput``, or ``Conflict`` where its kind is not set up."""
        principal.require(Scope.NOTIFICATIONS_READ)
        if registration.kind not in self._kinds:
            raise Conflict(f"push to {registration.kind} devices is not set up here")
        check(registration, self._hosts)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            device_id = PushDeviceId(new_id())
            row = await device_store.save(tx, device_id, principal.user_id, registration, self._clock.now())
        return _device(row)

    async def own(self, principal: Principal) -> list[Device]:
        """Return the caller's devices, newest first."""
        principal.require(Scope.NOTIFICATIONS_READ)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return [_device(row) for row in await device_store.own(tx, principal.user_id)]

    async def remove(self, principal: Principal, *, device_id: PushDeviceId) -> None:
        """Remove one of the caller's devices. Raises ``NotFound``."""
        principal.require(Scope.NOTIFICATIONS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if not await device_store.delete(tx, principal.user_id, device_id):
                raise NotFound("there is no such device")

    def vapid_key(self, principal: Principal) -> str:
        """Return the key a browser subscribes with. Raises ``NotFound`` where Web Push is not set up."""
        principal.require(Scope.NOTIFICATIONS_READ)
        if self._vapid_key is None:
            raise NotFound("push to browsers is not set up here")
        return self._vapid_key


def _device(row: Row) -> Device:
    return Device(**{**row, "kind": DeviceKind(row["kind"])})
