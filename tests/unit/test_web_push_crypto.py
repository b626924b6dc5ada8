"""Message encryption and VAPID against the RFCs' own examples."""

import json
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from core.access.keys import generate
from core.adapters.web_push_crypto import MAX_PLAIN_BYTES, Vapid, b64url, encrypt, from_b64url, generate_vapid_key
from core.clock import FakeClock, SystemClock
from core.errors import InvalidInput
from tests.factories.providers import Browser

EXAMPLE = json.loads((Path(__file__).parents[1] / "data" / "web_push.json").read_text("utf-8"))["encryption"]


def key_of(text: str) -> ec.EllipticCurvePrivateKey:
    """Return a private key of the example."""
    return ec.derive_private_key(int.from_bytes(from_b64url(text), "big"), ec.SECP256R1())


def test_the_rfcs_example_comes_out() -> None:
    """With the keys and the salt of RFC 8291 the body is the one printed there, and its browser reads it."""
    body = encrypt(
        EXAMPLE["plain"].encode(),
        p256dh=from_b64url(EXAMPLE["p256dh"]),
        auth=from_b64url(EXAMPLE["auth"]),
        key=key_of(EXAMPLE["sender_key"]),
        salt=from_b64url(EXAMPLE["salt"]),
    )
    assert b64url(body) == EXAMPLE["expected"]
    browser = Browser(key_of(EXAMPLE["browser_key"]), from_b64url(EXAMPLE["auth"]))
    assert browser.open(body).decode() == EXAMPLE["plain"]


def test_no_two_messages_are_alike() -> None:
    """Key and salt are fresh each time, so that the same text twice can't be told by its body."""
    browser = Browser()
    bodies = {encrypt(b"same", p256dh=browser.point, auth=browser.auth) for _ in range(10)}
    assert len(bodies) == 10
    assert {browser.open(body) for body in bodies} == {b"same"}


def test_the_largest_text_fills_one_record() -> None:
    """What is allowed at most makes just the 4,096 bytes that every push service takes."""
    browser = Browser()
    body = encrypt(b"x" * MAX_PLAIN_BYTES, p256dh=browser.point, auth=browser.auth)
    assert len(body) == 4096
    assert len(browser.open(body)) == MAX_PLAIN_BYTES


def test_a_public_key_off_the_curve_is_refused() -> None:
    """A forged key can't be used to learn ours."""
    with pytest.raises(ValueError, match=r".*"):
        encrypt(b"x", p256dh=b"\x04" + b"\x01" * 64, auth=b"a" * 16)


def test_a_token_speaks_to_one_push_service_for_hours() -> None:
    """The token names origin, end and contact, verifies with the public key, and is made anew before it ends."""
    clock = FakeClock(SystemClock().now())
    vapid = Vapid(generate_vapid_key(), contact="mailto:office@school.example", clock=clock)
    first = vapid.authorization("https://push.example/a/1")
    assert vapid.authorization("https://push.example/b/2") == first
    assert vapid.authorization("https://other.example/1") != first
    token, _, key = first.removeprefix("vapid t=").partition(", k=")
    assert key == vapid.public_key
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_b64url(key))
    claims = jwt.decode(token, public, ["ES256"], audience="https://push.example")
    assert claims["sub"] == "mailto:office@school.example"
    assert 0 < claims["exp"] - clock.now().timestamp() <= 24 * 3600
    clock.advance(timedelta(hours=7))
    assert vapid.authorization("https://push.example/a/1") != first


def test_a_key_is_taken_as_pem_and_as_other_tools_write_it() -> None:
    """The 32 bytes in base64url that `web-push generate-vapid-keys` prints are the same key as their PEM."""
    key = key_of(EXAMPLE["sender_key"])
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    one, other = (Vapid(text, contact="", clock=FakeClock()).public_key for text in (pem, EXAMPLE["sender_key"]))
    assert one == other


@pytest.mark.parametrize("text", ["", "AA", "no key", generate(), "-----BEGIN PRIVATE KEY-----\nAA\n"])
def test_what_is_no_key_of_the_curve_is_told(text: str) -> None:
    """Another kind of key, or none, is refused by the name of its setting and not shown."""
    with pytest.raises(InvalidInput, match="SCHOOLOS_PUSH_VAPID_KEY") as caught:
        Vapid(text, contact="", clock=FakeClock())
    assert not text or text not in str(caught.value)
