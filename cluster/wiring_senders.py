"""Builds the providers of each channel, as the settings name them.

What is not set up is not imported either: boto3 alone would make every notifier 13 MB larger.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import parseaddr
from functools import partial

from cluster.settings import Settings
from cluster.wiring_limits import AccountLimits
from core.adapters.africas_talking import AfricasTalkingSms
from core.adapters.smtp import SmtpMail
from core.clock import Clock
from core.errors import InvalidInput
from core.notifications.device_push import DevicePush
from core.notifications.devices import DeviceKind
from core.notifications.failover import Failover
from core.notifications.model import Channel
from core.notifications.ports import MessageSender
from core.notifications.receiving import ReceiptKeys
from core.notifications.registering import Devices
from core.ports import Database

RECEIPTS = "/api/providers"


@asynccontextmanager
async def open_senders(
    settings: Settings, db: Database, clock: Clock, limits: AccountLimits | None = None
) -> AsyncIterator[dict[Channel, MessageSender]]:
    """Open the providers of each channel that has one in the settings; the limits learn who is asked first."""
    senders: dict[Channel, MessageSender] = {}
    mails: Mapping[str, Callable[[Settings], MessageSender | None]] = {"smtp": _smtp, "ses": _ses}
    texts: Mapping[str, Callable[[Settings], MessageSender | None]] = {
        "africas-talking": partial(_africas_talking, clock=clock),
        "twilio": _twilio,
    }
    for channel, order, makers in (
        (Channel.EMAIL, settings.mail.providers, mails),
        (Channel.SMS, settings.sms.providers, texts),
    ):
        made = [sender for sender in (makers[name](settings) for name in order) if sender is not None]
        if made:
            senders[channel] = Failover(limits.guarded(channel, made) if limits else made, clock)
    if pushes := _pushes(settings, clock):
        senders[Channel.DEVICE] = DevicePush(db, pushes)
    try:
        yield senders
    finally:
        for sender in senders.values():
            await sender.close()


def make_devices(settings: Settings, db: Database, clock: Clock) -> Devices:
    """Return the use cases of devices, with the kinds that are set up."""
    kinds: set[DeviceKind] = set()
    vapid_key = None
    if settings.push.vapid_key is not None:
        from core.adapters.web_push_crypto import Vapid  # noqa: PLC0415 - see above

        kinds.add(DeviceKind.WEB)
        key = settings.push.vapid_key.get_secret_value()
        vapid_key = Vapid(key, contact=_contact(settings), clock=clock).public_key
    if settings.fcm.service_account is not None:
        kinds.add(DeviceKind.FCM)
    return Devices(db, clock, kinds=frozenset(kinds), hosts=settings.push.hosts, vapid_key=vapid_key)


def receipt_keys(settings: Settings) -> ReceiptKeys:
    """Return by what providers are known when they post receipts."""
    token, secret = settings.twilio.auth_token, settings.sms.callback_secret
    return ReceiptKeys(
        twilio_token=token.get_secret_value() if token else None,
        twilio_url=_twilio_callback(settings),
        africas_talking_secret=secret.get_secret_value() if secret else None,
        ses_topic=settings.ses.topic_arn,
    )


def _smtp(settings: Settings) -> MessageSender | None:
    mail = settings.mail
    if mail.host is None:
        return None
    return SmtpMail(
        mail.host,
        mail.port,
        sender=mail.sender,
        username=mail.username,
        password=mail.password.get_secret_value() if mail.password else None,
        security=mail.security,
        timeout=settings.notifier.request_timeout,
    )


def _ses(settings: Settings) -> MessageSender | None:
    ses = settings.ses
    if not ses.is_set:
        return None
    from core.adapters.ses import SesMail  # noqa: PLC0415 - see above

    return SesMail(
        sender=settings.mail.sender,
        region=ses.region,
        endpoint=ses.endpoint,
        access_key=ses.access_key.get_secret_value() if ses.access_key else None,
        secret_key=ses.secret_key.get_secret_value() if ses.secret_key else None,
        configuration_set=ses.configuration_set,
        timeout=settings.notifier.request_timeout,
    )


def _africas_talking(settings: Settings, clock: Clock) -> MessageSender | None:
    sms = settings.sms
    if sms.endpoint is None:
        return None
    if sms.api_key is None:
        raise InvalidInput("SCHOOLOS_SMS_ENDPOINT is set and SCHOOLOS_SMS_API_KEY is not; both are needed")
    return AfricasTalkingSms(
        sms.endpoint,
        username=sms.username,
        api_key=sms.api_key.get_secret_value(),
        sender_id=sms.sender_id,
        promotional_sender_id=sms.promotional_sender_id,
        timeout=settings.notifier.request_timeout,
        connections=settings.notifier.concurrency,
        clock=clock,
    )


def _twilio(settings: Settings) -> MessageSender | None:
    twilio = settings.twilio
    if twilio.account_sid is None:
        return None
    if twilio.auth_token is None or twilio.sender is None:
        raise InvalidInput("SCHOOLOS_TWILIO_ACCOUNT_SID needs SCHOOLOS_TWILIO_AUTH_TOKEN and SCHOOLOS_TWILIO_SENDER")
    from core.adapters.twilio import TwilioSms  # noqa: PLC0415 - see above

    return TwilioSms(
        twilio.endpoint,
        account_sid=twilio.account_sid,
        auth_token=twilio.auth_token.get_secret_value(),
        sender=twilio.sender,
        promotional_sender=twilio.promotional_sender,
        # Twilio refuses a message whose callback it can't reach, so a private address is not told.
        status_callback=_twilio_callback(settings) if settings.http.public_url else None,
        timeout=settings.notifier.request_timeout,
        connections=settings.notifier.concurrency,
    )


def _twilio_callback(settings: Settings) -> str:
    return f"{settings.http.url}{RECEIPTS}/twilio/receipts"


def _pushes(settings: Settings, clock: Clock) -> dict[DeviceKind, MessageSender]:
    made: dict[DeviceKind, MessageSender] = {}
    timeout, connections = settings.notifier.request_timeout, settings.notifier.concurrency
    push, fcm = settings.push, settings.fcm
    if push.vapid_key is not None:
        from core.adapters.web_push import WebPush  # noqa: PLC0415 - see above
        from core.adapters.web_push_crypto import Vapid  # noqa: PLC0415 - see above

        vapid = Vapid(push.vapid_key.get_secret_value(), contact=_contact(settings), clock=clock)
        made[DeviceKind.WEB] = WebPush(vapid, hosts=push.hosts, timeout=timeout, connections=connections)
    if fcm.service_account is not None:
        from core.adapters.fcm import FcmPush, ServiceAccount  # noqa: PLC0415 - see above

        account = ServiceAccount.read(fcm.service_account.get_secret_value())
        sender = FcmPush(account, clock=clock, endpoint=fcm.endpoint, timeout=timeout, connections=connections)
        made[DeviceKind.FCM] = Failover([sender], clock)
    return made


def _contact(settings: Settings) -> str:
    return settings.push.contact or f"mailto:{parseaddr(settings.mail.sender)[1]}"
