"""Push to phones through Firebase Cloud Messaging, HTTP v1 (https://firebase.google.com/docs/cloud-messaging)."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt
from pydantic import BaseModel, ValidationError

from core.adapters.provider_http import Answer, ProviderHttp
from core.clock import Clock
from core.errors import InvalidInput, SchoolOSError, TooMany, Unavailable
from core.notifications.model import OutgoingMessage, Reason, Receipt
from core.notifications.ports import NotTaken, refusal

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TTL = timedelta(days=1)
_MARGIN = timedelta(minutes=2)
"""A token is renewed so long before it ends."""
_BODY = 1_000
"""Characters; the whole payload may have 4,096 bytes."""


class ServiceAccount(BaseModel, frozen=True):
    """The parts of Google's service account file that are used."""

    project_id: str
    client_email: str
    private_key: str
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address

    @classmethod
    def read(cls, text: str) -> "ServiceAccount":
        """Read the file's JSON. Raises ``InvalidInput``."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InvalidInput("SCHOOLOS_FCM_SERVICE_ACCOUNT is no service account in JSON") from error


class FcmPush:
    """Sends to one registration token, which is the address.

    The delivery's id is the tag: sent again, it takes the place of the notification that is already shown.
    """

    provider = "fcm"

    def __init__(
        self,
        account: ServiceAccount,
        *,
        clock: Clock,
        endpoint: str = "https://fcm.googleapis.com",
        timeout: timedelta = timedelta(seconds=10),
        connections: int = 50,
    ) -> None:
        self._url = f"{endpoint.rstrip('/')}/v1/projects/{account.project_id}/messages:send"
        self._http = ProviderHttp(timeout=timeout, connections=connections)
        self._token = _AccessToken(account, self._http, clock)

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Hand one message over; return its name."""
        headers = {"Authorization": f"Bearer {await self._token.get()}"}
        answer = await self._http.post(self._url, json=_request(message), headers=headers)
        if answer.status == 401:
            self._token.forget()
        if not answer.ok:
            raise _meaning(answer)
        return Receipt(message_id=str(answer.document().get("name", "")))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


class _AccessToken:
    """The token of a service account (RFC 7523), fetched by one request for all that wait."""

    def __init__(self, account: ServiceAccount, http: ProviderHttp, clock: Clock) -> None:
        self._account = account
        self._http = http
        self._clock = clock
        self._token = ""
        self._until: datetime | None = None
        self._fetching = asyncio.Lock()

    async def get(self) -> str:
        """Return a token that holds. Raises ``NotTaken``: without one nothing has been sent."""
        async with self._fetching:
            if self._until is None or self._clock.now() >= self._until:
                await self._fetch()
            return self._token

    def forget(self) -> None:
        """Fetch a new one next time."""
        self._until = None

    async def _fetch(self) -> None:
        now = self._clock.now()
        account = self._account
        claims = {"iss": account.client_email, "scope": _SCOPE, "aud": account.token_uri, "iat": now,
                  "exp": now + timedelta(hours=1)}  # fmt: skip
        assertion = jwt.encode(claims, account.private_key, "RS256")
        try:
            answer = await self._http.post(account.token_uri, data={"grant_type": _GRANT, "assertion": assertion})
        except Unavailable as error:
            raise NotTaken(f"no access token: {error}") from error.__cause__
        granted = answer.document()
        if not answer.ok or "access_token" not in granted:
            raise NotTaken(f"no access token: HTTP {answer.status} {granted.get('error', '')}".strip())
        self._token = str(granted["access_token"])
        self._until = now + timedelta(seconds=int(granted.get("expires_in", 3600))) - _MARGIN


def _request(message: OutgoingMessage) -> Mapping[str, Any]:
    tag, ttl_s = message.key.hex, int(_TTL.total_seconds())
    shown = {
        "token": message.address,
        "notification": {"title": message.text.title, "body": message.text.body[:_BODY]},
        "data": {"deliveryId": str(message.key)},
        "android": {"ttl": f"{ttl_s}s", "notification": {"tag": tag}},
        "apns": {"headers": {"apns-collapse-id": tag}},
    }
    return {"message": shown}


def _meaning(answer: Answer) -> SchoolOSError:
    """Return what an error means (https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode)."""
    error = answer.document().get("error", {})
    codes = [str(each.get("errorCode")) for each in error.get("details", []) if "errorCode" in each]
    code = codes[0] if codes else str(error.get("status", ""))
    said = f"HTTP {answer.status} {code}".strip()
    match code:
        case "UNREGISTERED" | "SENDER_ID_MISMATCH":
            return refusal(said, Reason.NO_DEVICE)
        case "INVALID_ARGUMENT" if _about_token(error):
            return refusal(said, Reason.NO_DEVICE)
        case "THIRD_PARTY_AUTH_ERROR":
            return NotTaken(said)
        case "QUOTA_EXCEEDED":
            found = answer.error(code)
            return found if isinstance(found, TooMany) else TooMany(said)
    return answer.error(code)


def _about_token(error: Mapping[str, Any]) -> bool:
    """Tell whether a malformed request is the registration token's fault and not the message's."""
    violations = [each.get("fieldViolations", []) for each in error.get("details", [])]
    fields = [violation.get("field") for several in violations for violation in several]
    return "message.token" in fields or "registration token" in str(error.get("message", ""))
