"""Email through Amazon SES, version 2 of its API (https://docs.aws.amazon.com/ses/latest/APIReference-V2/)."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.headerregistry import Address
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from core.errors import SchoolOSError, TooMany, Unavailable
from core.notifications.model import OutgoingMessage, Reason, Receipt
from core.notifications.ports import NotTaken, refusal

_THROTTLED = frozenset({"TooManyRequestsException", "LimitExceededException", "Throttling", "ThrottlingException"})
_ABOUT_MESSAGE = frozenset({"MessageRejected", "BadRequestException", "InvalidParameterValue"})
_NOT_TAKEN = (EndpointConnectionError, ConnectTimeoutError, NoCredentialsError)


class SesMail:
    """Sends email: plain text, no tracking. boto3 blocks, so each call runs in a thread of a bounded pool.

    SES has no idempotency key; the delivery's id goes along as a tag, and comes back with every event.
    """

    provider = "ses"

    def __init__(
        self,
        *,
        sender: str,
        region: str | None = None,
        endpoint: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        configuration_set: str | None = None,
        timeout: timedelta = timedelta(seconds=10),
        connections: int = 16,
    ) -> None:
        """Reach SES; what is left out boto3 finds the usual way (instance role, profile, environment)."""
        self._sender = sender
        self._always: dict[str, Any] = {"ConfigurationSetName": configuration_set} if configuration_set else {}
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="ses")
        self._client: Any = boto3.client(
            "sesv2",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(
                connect_timeout=timeout.total_seconds() / 3,
                read_timeout=timeout.total_seconds(),
                max_pool_connections=connections,
                retries={"total_max_attempts": 1},  # retrying belongs to the deliveries
            ),
        )

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Hand one message over; return its message id."""
        request = self._request(message)
        try:
            answer: Mapping[str, Any] = await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: self._client.send_email(**request)
            )
        except ClientError as error:
            raise _meaning(error) from error
        except ReadTimeoutError as error:
            raise Unavailable("the provider did not answer in time") from TimeoutError(str(error))
        except _NOT_TAKEN as error:
            raise NotTaken(f"the provider could not be reached: {type(error).__name__}") from error
        except BotoCoreError as error:
            raise Unavailable(f"the provider could not be asked: {type(error).__name__}") from error
        return Receipt(message_id=str(answer["MessageId"]))

    async def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _request(self, message: OutgoingMessage) -> dict[str, Any]:
        try:
            # One address and nothing else: no list of them, no header behind a line break.
            address = Address(addr_spec=message.address).addr_spec
        except (ValueError, IndexError) as error:
            raise refusal("the address can't stand in a mail", Reason.BAD_ADDRESS) from error
        if not message.text.title.isprintable():
            raise refusal("the subject can't stand in a mail")
        simple = {
            "Subject": _utf8(message.text.title),
            "Body": {"Text": _utf8(message.text.body + "\n")},
            "Headers": [{"Name": "Auto-Submitted", "Value": "auto-generated"}],  # RFC 3834: no out-of-office answers
        }
        return {
            **self._always,
            "FromEmailAddress": self._sender,
            "Destination": {"ToAddresses": [address]},
            "Content": {"Simple": simple},
            "EmailTags": [{"Name": "delivery", "Value": str(message.key)}],
        }


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def _meaning(error: ClientError) -> SchoolOSError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    words = str(error.response.get("Error", {}).get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _THROTTLED or status == 429:
        return TooMany(code)
    # In words only: "Email address is not verified" is about our own account, or about its being in the sandbox.
    if code in _ABOUT_MESSAGE and "not verified" not in words:
        return refusal(code)
    # Any other 4xx is about the account: suspended, paused, no such identity, wrong key. Nothing was taken.
    return NotTaken(code) if status < 500 or status == 503 else Unavailable(code)
