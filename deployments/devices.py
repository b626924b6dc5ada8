"""Routes of one's own devices: which phones and browsers show messages beside the bell."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Response
from pydantic import Field, model_validator

from core.ids import PushDeviceId
from core.notifications.devices import DeviceKind, Registration
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/notifications/devices", tags=["notifications"], responses=PROBLEMS)


class SubscriptionKeys(WireRequest):
    """The browser's keys, in base64url."""

    p256dh: str = Field(max_length=200)
    auth: str = Field(max_length=100)


class Subscription(WireRequest):
    """A browser's push subscription, as its `toJSON()` writes it."""

    endpoint: str = Field(min_length=1, max_length=2048)
    expiration_time: float | None = None
    keys: SubscriptionKeys


class DeviceRequest(WireRequest):
    """A device that asks for push: a browser with its subscription, or a phone with its FCM token."""

    kind: DeviceKind
    subscription: Subscription | None = Field(None, description="For `web`.")
    token: str | None = Field(None, min_length=1, max_length=2048, description="For `fcm`: the registration token.")
    name: str = Field("", max_length=100, description="What its owner calls it.", examples=["Chrome on Pixel 9"])

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        is_web = self.kind is DeviceKind.WEB
        if is_web is (self.subscription is None) or is_web is (self.token is not None):
            raise ValueError("send a subscription for web, a token for fcm, and not both")
        return self

    def registration(self) -> Registration:
        """Return what the use case takes."""
        if self.subscription is None:
            return Registration(self.kind, self.token or "", name=self.name)
        keys = self.subscription.keys
        return Registration(self.kind, self.subscription.endpoint, keys.p256dh, keys.auth, self.name)


class DeviceItem(Wire):
    """A registered device. Its address is shown to nobody."""

    id: PushDeviceId
    kind: DeviceKind
    name: str
    created_at: datetime
    seen_at: datetime


class DeviceList(Wire):
    """The caller's devices, newest first."""

    items: list[DeviceItem]


class VapidKey(Wire):
    """The key a browser subscribes with."""

    public_key: str = Field(description="`applicationServerKey` of `PushManager.subscribe()`, in base64url.")


@router.post("", status_code=201, operation_id="registerDevice", summary="Let this device show the caller's messages")
async def register_device(response: Response, services: ServicesDep, caller: Caller, body: DeviceRequest) -> DeviceItem:
    """Register a device; the same again renews it. It belongs to who registered it last."""
    device = await services.devices.register(caller, registration=body.registration())
    response.headers["Location"] = f"{router.prefix}/{device.id}"
    return DeviceItem.model_validate(device)


@router.get("", operation_id="listDevices", summary="The caller's devices")
async def list_devices(services: ServicesDep, caller: Caller) -> DeviceList:
    """Return the caller's devices, at most twenty."""
    return DeviceList(items=[DeviceItem.model_validate(each) for each in await services.devices.own(caller)])


@router.delete("/{id}", status_code=204, operation_id="removeDevice", summary="Send nothing more to a device")
async def remove_device(
    services: ServicesDep, caller: Caller, device_id: Annotated[PushDeviceId, Path(alias="id")]
) -> None:
    """Remove one of the caller's devices."""
    await services.devices.remove(caller, device_id=device_id)


@router.get("/vapid-key", operation_id="getVapidKey", summary="The key a browser subscribes with")
async def get_vapid_key(services: ServicesDep, caller: Caller) -> VapidKey:
    """Return the public key of this installation for Web Push."""
    return VapidKey(public_key=services.devices.vapid_key(caller))
