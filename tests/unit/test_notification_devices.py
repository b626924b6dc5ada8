"""Which addresses a device may have: they come from users, and this system calls them."""

from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest

from core.errors import InvalidInput
from core.notifications.devices import DeviceKind, Registration, WebAddress, allowed, check

HOSTS = ("fcm.googleapis.com", "*.notify.windows.com", "http://127.0.0.1:9000")
POINT = urlsafe_b64encode(b"\x04" + b"\x01" * 64).decode().rstrip("=")
GOOD = Registration(DeviceKind.WEB, "https://fcm.googleapis.com/fcm/send/abc", POINT, "AAAAAAAAAAAAAAAAAAAAAA")


@pytest.mark.parametrize(
    ("endpoint", "known"),
    [
        ("https://fcm.googleapis.com/fcm/send/abc", True),
        ("https://fcm.googleapis.com:443/fcm/send/abc", True),
        ("https://FCM.googleapis.com/x", True),
        ("https://db5p.notify.windows.com/w/?token=x", True),
        ("http://127.0.0.1:9000/push/1", True),
        ("https://notify.windows.com/x", False),
        ("https://evilnotify.windows.com/x", False),
        ("https://fcm.googleapis.com.evil.example/x", False),
        ("https://evil.example/fcm.googleapis.com", False),
        ("https://evil.example#fcm.googleapis.com", False),
        ("https://fcm.googleapis.com@evil.example/x", False),
        ("https://user:pw@fcm.googleapis.com/x", False),
        ("http://user@127.0.0.1:9000/push/1", False),
        ("http://fcm.googleapis.com/x", False),
        ("https://fcm.googleapis.com:8443/x", False),
        ("http://127.0.0.1:9001/push/1", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("file:///etc/passwd", False),
        ("https://[", False),
        ("https://fcm.googleapis.com:port/x", False),
        ("", False),
    ],
)
def test_only_push_services_of_the_list_are_called(endpoint: str, known: bool) -> None:
    """Host, port and scheme must be a push service's; no trick of an address reaches anything else."""
    assert allowed(endpoint, HOSTS) is known


def test_a_good_subscription_passes() -> None:
    """What a browser gives passes, and is written and read as it came."""
    check(GOOD, HOSTS)
    address = WebAddress(GOOD.endpoint, GOOD.p256dh or "", GOOD.auth or "")
    assert WebAddress.read(address.written()) == address


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"endpoint": "https://evil.example/x"}, "/subscription/endpoint"),
        ({"endpoint": "https://fcm.googleapis.com/ọ"}, "/subscription/endpoint"),
        ({"p256dh": None}, "/subscription/keys/p256dh"),
        ({"p256dh": "AAAA"}, "/subscription/keys/p256dh"),
        ({"p256dh": "no base64!"}, "/subscription/keys/p256dh"),
        ({"auth": "ọ"}, "/subscription/keys/auth"),
        ({"auth": "AAAA"}, "/subscription/keys/auth"),
    ],
)
def test_each_fault_of_a_subscription_is_told(changed: dict[str, str | None], where: str) -> None:
    """What is wrong is told by its place, and never shown: an endpoint is a secret."""
    registration = replace(GOOD, **changed)  # type: ignore[arg-type]  # each is a field of it
    with pytest.raises(InvalidInput) as caught:
        check(registration, HOSTS)
    assert [fault.where for fault in caught.value.faults] == [where]
    assert GOOD.endpoint not in repr(registration)


@pytest.mark.parametrize("token", ["", "a b", "ọ", "a\n", "x" * 2049])
def test_what_is_no_registration_token_is_told(token: str) -> None:
    """A phone's token is one word of ASCII."""
    with pytest.raises(InvalidInput) as caught:
        check(Registration(DeviceKind.FCM, token), HOSTS)
    assert [fault.where for fault in caught.value.faults] == ["/token"]
    check(Registration(DeviceKind.FCM, "dQw4w9WgXcQ:APA91b"), HOSTS)
