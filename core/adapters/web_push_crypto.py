"""What Web Push asks of a sender's cryptography: message encryption (RFC 8291, RFC 8188) and VAPID (RFC 8292)."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from core.clock import Clock
from core.errors import InvalidInput

RECORD_BYTES = 4096
"""What every push service takes (RFC 8030, 7.2), as one record."""
MAX_PLAIN_BYTES = RECORD_BYTES - 86 - 16 - 1
"""Less the header, the tag and the delimiter."""
_TOKEN_HOLDS = timedelta(hours=12)
"""RFC 8292 allows 24 at most; clocks differ."""


def b64url(raw: bytes) -> str:
    """Return bytes in the base64url of RFC 4648, without padding."""
    return urlsafe_b64encode(raw).decode().rstrip("=")


def from_b64url(text: str) -> bytes:
    """Return the bytes of base64url. Raises ``ValueError``."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encrypt(
    plain: bytes,
    *,
    p256dh: bytes,
    auth: bytes,
    key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """Return the body of a push message, readable by the subscription's browser alone.

    ``key`` and ``salt`` are fresh for each message; only a test vector hands them in. Raises ``ValueError`` where
    ``p256dh`` is no point of the curve.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(16)
    browser = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh)
    own = _point(key.public_key())
    shared = key.exchange(ec.ECDH(), browser)
    material = _derived(shared, auth, b"WebPush: info\x00" + p256dh + own, 32)
    content_key = _derived(material, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derived(material, salt, b"Content-Encoding: nonce\x00", 12)
    header = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(own)]) + own
    return header + AESGCM(content_key).encrypt(nonce, plain + b"\x02", None)


class Vapid:
    """The key by which push services know this installation, and what it signs."""

    def __init__(self, key: str, *, contact: str, clock: Clock) -> None:
        """Take the private key (PEM, or the 32 bytes in base64url that other tools make) and whom to write to.

        Raises ``InvalidInput`` for what is no P-256 key.
        """
        self._key = _private(key)
        self._contact = contact
        self._clock = clock
        self._tokens: dict[str, tuple[str, datetime]] = {}
        self.public_key = b64url(_point(self._key.public_key()))
        """What a browser subscribes with (``applicationServerKey``)."""

    def authorization(self, endpoint: str) -> str:
        """Return the header's value for a push service; one token serves all its subscriptions for hours."""
        parts = urlsplit(endpoint)
        origin = f"{parts.scheme}://{parts.netloc}"
        now = self._clock.now()
        token, until = self._tokens.get(origin, ("", now))
        if until <= now:
            claims = {"aud": origin, "exp": int((now + _TOKEN_HOLDS).timestamp()), "sub": self._contact}
            token = jwt.encode(claims, self._key, "ES256")
            self._tokens[origin] = (token, now + _TOKEN_HOLDS / 2)
        return f"vapid t={token}, k={self.public_key}"


def generate_vapid_key() -> str:
    """Return the PEM of a new P-256 private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _private(key: str) -> ec.EllipticCurvePrivateKey:
    try:
        if "BEGIN" not in key:
            return ec.derive_private_key(int.from_bytes(from_b64url(key.strip()), "big"), ec.SECP256R1())
        loaded = load_pem_private_key(key.encode(), None)
    except ValueError as error:
        raise InvalidInput("SCHOOLOS_PUSH_VAPID_KEY is no private key of the curve P-256") from error
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or not isinstance(loaded.curve, ec.SECP256R1):
        raise InvalidInput("SCHOOLOS_PUSH_VAPID_KEY is no private key of the curve P-256")
    return loaded


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(material)
