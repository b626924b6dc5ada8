"""The signing key of an installation, and the keys that are derived from it."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from core.access.tokens import signing_key_of


def generate() -> str:
    """Return the PEM of a new Ed25519 private key (PKCS 8)."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def derived(signing_key: str, purpose: str) -> bytes:
    """Return 32 bytes for one purpose (HKDF-SHA256, RFC 5869): who learns them learns neither the key nor another's.

    Raises ``InvalidInput`` where the PEM holds no Ed25519 key.
    """
    return stretched(signing_key_of(signing_key).private_bytes_raw(), purpose)


def stretched(key: bytes, purpose: str) -> bytes:
    """Return 32 bytes for one purpose from a key that was derived before."""
    return HKDF(SHA256(), 32, salt=None, info=f"schoolos {purpose}".encode()).derive(key)
