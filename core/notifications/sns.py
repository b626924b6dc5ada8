"""What Amazon SNS posts, and whether it is from Amazon and of our own topic.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from core.errors import NotAuthenticated

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED: Mapping[str, tuple[str, ...]] = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
"""What the signature covers, in order; a subject that is not there is left out."""
_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):\d{12}:[\w.-]+", re.ASCII)
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{32}\.pem", re.ASCII)


class SnsService(Protocol):
    """Amazon SNS, as far as a receiver asks it. The addresses handed in are Amazon's own."""

    async def certificate(self, url: str) -> bytes:
        """Return a signing certificate in PEM. Raises ``Unavailable``."""

    async def confirm(self, url: str) -> None:
        """Confirm a subscription. Raises ``Unavailable``."""


def host_of(topic_arn: str) -> str:
    """Return the host of the SNS that serves a topic: the only one whose word counts for it."""
    found = _ARN.fullmatch(topic_arn)
    if found is None:
        raise NotAuthenticated("this is no topic")
    partition, region = found[1], found[2]
    return f"sns.{region}.amazonaws.com" + (".cn" if partition == "aws-cn" else "")


def certificate_url(document: Mapping[str, Any], topic_arn: str) -> str:
    """Return where the certificate of a message of our topic lies. Raises ``NotAuthenticated`` for any other message.

    Anyone with an account at Amazon can send messages with a valid signature: only our own topic's count. And the
    address is in the message, so only Amazon's own host and the one kind of file there is are asked for.
    """
    if document.get("TopicArn") != topic_arn or document.get("SignatureVersion") != "2":
        raise NotAuthenticated("the message is of another topic, or not signed by version 2")
    url = str(document.get("SigningCertURL", ""))
    if not is_at(url, host_of(topic_arn)) or not _CERTIFICATE.fullmatch(urlsplit(url).path):
        raise NotAuthenticated("the certificate is not Amazon's")
    return url


def is_at(url: str, host: str) -> bool:
    """Tell whether an address is at a host, over TLS and on its own port."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and parts.netloc == host


def check_signature(document: Mapping[str, Any], certificate: bytes, now: datetime) -> None:
    """Raise ``NotAuthenticated`` unless the message is signed by the certificate, which holds today."""
    try:
        signature = base64.b64decode(str(document.get("Signature", "")), validate=True)
        loaded = x509.load_pem_x509_certificate(certificate)
        key = loaded.public_key()
        if not isinstance(key, rsa.RSAPublicKey) or not (
            loaded.not_valid_before_utc <= now <= loaded.not_valid_after_utc
        ):
            raise NotAuthenticated("the certificate does not hold")
        key.verify(signature, signed_text(document), padding.PKCS1v15(), SHA256())
    except (binascii.Error, ValueError, InvalidSignature) as error:
        raise NotAuthenticated("the signature is not right") from error


def signed_text(document: Mapping[str, Any]) -> bytes:
    """Return what the signature of a message covers. Raises ``NotAuthenticated`` for an unknown kind of message."""
    names = SIGNED.get(str(document.get("Type")))
    if names is None:
        raise NotAuthenticated("the message is of no known type")
    return "".join(f"{name}\n{document[name]}\n" for name in names if name in document).encode()
