"""Webhooks out: other systems that hear of a school's events, in the Standard Webhooks form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Conflict, Fault, InvalidInput, NotFound, Stale, Unavailable
from core.ids import WebhookEndpointId, WebhookMessageId, new_id
from core.notifications import webhooks_store as store
from core.notifications.trail import Place, checked_place
from core.notifications.webhooks_model import (
    EVENT_TYPES,
    MAX_ENDPOINTS,
    OVERLAP,
    TEST,
    Endpoint,
    Message,
    MessageLog,
    MessageState,
    checked_url,
)
from core.notifications.webhooks_signing import WebhookSecrets
from core.ports import Database, Transaction
from core.telemetry import get_logger

log = get_logger("notifications")


@dataclass(frozen=True, slots=True)
class EndpointSecret:
    """An endpoint with the secret that signs now, as it is shown when it is made."""

    endpoint: Endpoint
    secret: str


class Webhooks:
    """The use cases of those who connect other systems."""

    def __init__(self, db: Database, clock: Clock, secrets: WebhookSecrets | None, *, loopback: bool = False) -> None:
        """Take what secrets are derived from, and whether this machine itself may be an endpoint."""
        self._db = db
        self._clock = clock
        self._secrets = secrets
        self._loopback = loopback

    async def all(self, principal: Principal, *, after: Place | None = None, limit: int) -> list[Endpoint]:
        """Return the school's endpoints, newest first, one more than ``limit`` where there are."""
        _require(principal)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await store.endpoints(tx, after=checked_place(after), limit=limit + 1)

    async def one(self, principal: Principal, *, endpoint_id: WebhookEndpointId) -> Endpoint:
        """Return an endpoint. Raises ``NotFound``."""
        _require(principal)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await _found(tx, endpoint_id)

    async def add(
        self, principal: Principal, *, url: str, event_types: Sequence[str], description: str = ""
    ) -> EndpointSecret:
        """Add an endpoint and return it with its secret. Raises ``InvalidInput``, ``Conflict``."""
        _require(principal)
        self._check({"url": url, "event_types": event_types})
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            added = await store.add(
                tx,
                WebhookEndpointId(new_id()),
                url=url,
                description=description,
                event_types=sorted(set(event_types)),
                now=self._clock.now(),
                at_most=MAX_ENDPOINTS,
            )
            if added is None:
                raise Conflict(f"a school has {MAX_ENDPOINTS} endpoints at most; remove one")
            told = self._with_secret(principal, added)
        log.info("webhook_added", endpoint_id=str(added.id))
        return told

    async def change(
        self, principal: Principal, *, endpoint_id: WebhookEndpointId, version: int, changes: Mapping[str, Any]
    ) -> Endpoint:
        """Change an endpoint; switched off, what waits for it is given up. Raises ``NotFound``, ``Stale``."""
        _require(principal)
        self._check(changes)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await _found(tx, endpoint_id)
            changed = await store.change(tx, endpoint_id, version, changes)
            if changed is None:
                raise Stale("the endpoint was changed meanwhile; read it again")
            if not changed.active:
                await store.end_waiting(tx, endpoint_id, "switched_off", self._clock.now())
        return changed

    async def remove(self, principal: Principal, *, endpoint_id: WebhookEndpointId) -> None:
        """Remove an endpoint with its messages. Raises ``NotFound``."""
        _require(principal)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if not await store.remove(tx, endpoint_id):
                raise NotFound("there is no such endpoint")
        log.info("webhook_removed", endpoint_id=str(endpoint_id))

    async def rotate(self, principal: Principal, *, endpoint_id: WebhookEndpointId) -> EndpointSecret:
        """Begin another secret; the one before signs too for a day. Raises ``NotFound``."""
        _require(principal)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            rotated = await store.rotate(tx, endpoint_id, self._clock.now() + OVERLAP)
            if rotated is None:
                raise NotFound("there is no such endpoint")
            told = self._with_secret(principal, rotated)
        log.info("webhook_secret_rotated", endpoint_id=str(endpoint_id), generation=rotated.generation)
        return told

    async def test(self, principal: Principal, *, endpoint_id: WebhookEndpointId) -> Message:
        """Send an endpoint a message that says nothing. Raises ``NotFound``, ``Conflict`` where it is switched off."""
        _require(principal)
        message_id = WebhookMessageId(new_id())
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await _found(tx, endpoint_id)
            if not await store.add_test(tx, endpoint_id, message_id, TEST, self._clock.now()):
                raise Conflict("the endpoint is switched off")
            return (await _message(tx, endpoint_id, message_id)).message

    async def messages(
        self,
        principal: Principal,
        *,
        endpoint_id: WebhookEndpointId,
        state: MessageState | None = None,
        after: Place | None = None,
        limit: int,
    ) -> list[Message]:
        """Return an endpoint's messages, newest first, one more than ``limit``. Raises ``NotFound``."""
        _require(principal)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            await _found(tx, endpoint_id)
            return await store.messages(tx, endpoint_id, state=state, after=checked_place(after), limit=limit + 1)

    async def message(
        self, principal: Principal, *, endpoint_id: WebhookEndpointId, message_id: WebhookMessageId
    ) -> MessageLog:
        """Return a message with its attempts. Raises ``NotFound``."""
        _require(principal)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await _message(tx, endpoint_id, message_id)

    async def replay(
        self, principal: Principal, *, endpoint_id: WebhookEndpointId, message_id: WebhookMessageId
    ) -> MessageLog:
        """Send a message again under its old id. Raises ``NotFound``, or ``Conflict`` where it can't be now."""
        _require(principal)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await _message(tx, endpoint_id, message_id)
            if not await store.replay(tx, endpoint_id, message_id=message_id, now=self._clock.now()):
                raise Conflict("the message is still on its way, or the endpoint is switched off")
            return await _message(tx, endpoint_id, message_id)

    async def replay_dead(self, principal: Principal, *, endpoint_id: WebhookEndpointId, since: datetime) -> int:
        """Send everything again that died since a moment; return how many. Raises ``NotFound``, ``Conflict``."""
        _require(principal)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if not (await _found(tx, endpoint_id)).active:
                raise Conflict("the endpoint is switched off")
            return await store.replay(tx, endpoint_id, since=since, now=self._clock.now())

    def _check(self, changes: Mapping[str, Any]) -> None:
        if changes.get("url") is not None:
            checked_url(changes["url"], loopback=self._loopback)
        for place, event_type in enumerate(changes.get("event_types") or ()):
            if event_type not in EVENT_TYPES:
                what = f"no such event; there are {', '.join(EVENT_TYPES)}"
                raise InvalidInput(what, [Fault(f"/eventTypes/{place}", what, "unknown")])

    def _with_secret(self, principal: Principal, endpoint: Endpoint) -> EndpointSecret:
        if self._secrets is None:
            raise Unavailable("this installation has no key of its own to derive secrets from")
        return EndpointSecret(endpoint, self._secrets.secret(principal.school, endpoint.id, endpoint.generation))


def _require(principal: Principal) -> None:
    principal.require(Scope.USERS_MANAGE, Scope.NOTIFICATIONS_MANAGE)


async def _found(tx: Transaction, endpoint_id: WebhookEndpointId) -> Endpoint:
    found = await store.endpoint(tx, endpoint_id)
    if found is None:
        raise NotFound("there is no such endpoint")
    return found


async def _message(tx: Transaction, endpoint_id: WebhookEndpointId, message_id: WebhookMessageId) -> MessageLog:
    found = await store.message(tx, endpoint_id, message_id)
    if found is None:
        raise NotFound("there is no such message")
    return MessageLog(found, await store.attempts(tx, message_id))
