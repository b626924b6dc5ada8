"""What providers post, signed as they sign it, for tests of receipts."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from core.clock import SystemClock
from core.errors import Unavailable
from core.notifications.sns import signed_text

TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses-events"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-" + "0" * 32 + ".pem"
CONFIRM = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f"


class FakeSns:
    """Amazon SNS with a certificate of its own: it signs what it posts, and serves the certificate."""

    def __init__(self, *, valid_until: datetime | None = None) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.fetched: list[str] = []
        self.confirmed: list[str] = []
        self.away = False
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = SystemClock().now()
        self._pem = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(valid_until or now + timedelta(days=365))
            .sign(self.key, SHA256())
            .public_bytes(Encoding.PEM)
        )

    async def certificate(self, url: str) -> bytes:
        """Return the certificate."""
        self.fetched.append(url)
        if self.away:
            raise Unavailable("away")
        return self._pem

    async def confirm(self, url: str) -> None:
        """Take note."""
        self.confirmed.append(url)

    def notification(self, event: Any, **changed: str) -> dict[str, str]:
        """Return a signed notification of an event."""
        return self.signed({"Type": "Notification", "Message": json.dumps(event), **changed})

    def confirmation(self, **changed: str) -> dict[str, str]:
        """Return a signed request to confirm a subscription."""
        said = {"Type": "SubscriptionConfirmation", "Message": "You have chosen ...", "Token": "2336412f"}
        return self.signed(said | {"SubscribeURL": CONFIRM} | changed)

    def signed(self, document: dict[str, str]) -> dict[str, str]:
        """Return a document with what every message has, signed by version 2."""
        whole = {
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Timestamp": "2027-12-02T00:54:06.655Z",
            "SignatureVersion": "2",
            "SigningCertURL": CERTIFICATE,
            **document,
        }
        signature = self.key.sign(signed_text(whole), padding.PKCS1v15(), SHA256())
        return whole | {"Signature": base64.b64encode(signature).decode()}
