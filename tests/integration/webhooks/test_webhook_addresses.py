"""Webhooks that are not sent: where no request may go."""

from datetime import timedelta

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from core.adapters.postgres import PostgresDatabase
from core.adapters.webhook import HttpWebhooks
from core.errors import InvalidInput, Unavailable
from core.notifications.webhooks_signing import WebhookSecrets
from tests.factories.school import MadeSchool
from tests.factories.webhooks import Desk, Receiver, all_are, happened, sending


class Names(AbstractResolver):
    """A resolver that answers as a hostile name server would: differently each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    @override
    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """Return the next answer."""
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=each, port=port, family=10 if ":" in each else 2, proto=6, flags=0)
            for each in found
        ]

    @override
    async def close(self) -> None:
        """Close nothing."""


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "192.168.1.1", "[fd00:ec2::254]", "[::ffff:127.0.0.1]",
        "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "0.0.0.0", "[::]", "100.100.100.200",
    ],
)  # fmt: skip
async def test_no_request_leaves_for_a_private_address(host: str) -> None:
    """Whatever way the address is written, the connection is refused before it is made."""
    poster = HttpWebhooks(timeout=timedelta(seconds=2))
    with pytest.raises(InvalidInput):
        await poster.post(f"https://{host}/latest/meta-data", {}, b"{}")
    await poster.close()


async def test_a_name_that_changes_between_two_looks_is_seen_through(receiver: Receiver) -> None:
    """A name that was public when the endpoint was registered and is loopback now (DNS rebinding) reaches nothing."""
    port = receiver.url.split(":")[2].split("/")[0]
    for answers in ([["127.0.0.1"]], [["10.0.0.1", "127.0.0.1"]], [["::1"]], [["169.254.169.254"], ["127.0.0.1"]]):
        poster = HttpWebhooks(timeout=timedelta(seconds=1), resolver=Names(*answers))
        for _ in answers:
            with pytest.raises((InvalidInput, Unavailable)):
                await poster.post(f"https://rebound.example:{port}/", {}, b"{}")
        await poster.close()
    assert receiver.got == []


async def test_a_redirect_is_an_answer_and_no_way(receiver: Receiver) -> None:
    """A receiver that points elsewhere is not followed, and its long answer is read up to a bound."""
    receiver.status, receiver.headers = 307, {"Location": "http://169.254.169.254/"}
    poster = HttpWebhooks(timeout=timedelta(seconds=2), loopback=True)
    assert (await poster.post(receiver.url, {}, b"{}")).status == 307
    assert len(receiver.got) == 1
    await poster.close()


async def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect in our place, past the check."""
    monkeypatch.setenv("https_proxy", receiver.url)
    monkeypatch.setenv("http_proxy", receiver.url)
    poster = HttpWebhooks(timeout=timedelta(seconds=1), resolver=Names(["10.0.0.1"]))
    with pytest.raises(InvalidInput):
        await poster.post("https://a.example/", {}, b"{}")
    await poster.close()
    assert receiver.got == []


async def test_nobody_there_is_not_blocked() -> None:
    """A receiver that is down is out of reach for now, which is another thing than a forbidden address."""
    poster = HttpWebhooks(timeout=timedelta(seconds=1), loopback=True)
    with pytest.raises(Unavailable):
        await poster.post("http://127.0.0.1:9/", {}, b"{}")
    await poster.close()


async def test_a_blocked_address_ends_the_message(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, secrets: WebhookSecrets
) -> None:
    """An endpoint whose name leads inside gets nothing; its log says why."""
    endpoint = await desk.add("https://inside.example/")
    await happened(db, school)
    async with sending(db, secrets, poster=HttpWebhooks(resolver=Names(["10.1.2.3"]))):
        await desk.until(endpoint, all_are("dead"))
    (message,) = await desk.messages(endpoint)
    assert message["reason"] == "address_not_allowed"
    assert [each["outcome"] for each in (await desk.log(endpoint, message))["attempts"]] == ["blocked"]
