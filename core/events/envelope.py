"""The event envelope: what every event carries beside its payload, and its flat form as an entry of a Redis stream."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core.errors import Fault, InvalidInput
from core.ids import EventId, SchoolId

_REQUIRED = ("id", "type", "version", "school", "time", "payload")
_OPTIONAL = ("traceparent",)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a school."""

    id: EventId
    type: str
    """``scores.published``, ``attendance.marked``, ``fee.reminder``, ``reports.published``, ..."""
    version: int
    school_id: SchoolId
    occurred_at: datetime
    traceparent: str | None
    """W3C trace context of the request that caused it, so that what follows is one trace (P4-05)."""
    payload: Mapping[str, Any]
    """JSON values under the wire's camelCase names; ``core.events.types.payload_of`` gives it its type."""


def to_fields(event: Event) -> dict[str, str]:
    """Return the entry of the stream: strings only, the payload as JSON."""
    fields = {
        "id": str(event.id),
        "type": event.type,
        "version": str(event.version),
        "school": str(event.school_id),
        "time": event.occurred_at.isoformat(),
        "payload": json.dumps(event.payload, separators=(",", ":")),
    }
    if event.traceparent:
        fields["traceparent"] = event.traceparent
    return fields


def from_fields(fields: Mapping[str, str]) -> Event:
    """Read an entry of the stream. Raises ``InvalidInput`` with a fault for every field that is wrong."""
    faults = [Fault(f"/{name}", f"the field {name} is missing", "missing") for name in _REQUIRED if name not in fields]
    faults += [Fault(f"/{name}", f"{name} is no field of an event", "unknown") for name in strays_of(fields)]
    if faults:
        raise _not_an_event(faults)
    readings: dict[str, Any] = {
        "id": _read_uuid(fields["id"]),
        "version": _read_version(fields["version"]),
        "school": _read_uuid(fields["school"]),
        "time": _read_time(fields["time"]),
        "payload": _read_payload(fields["payload"]),
    }
    faults = [Fault(f"/{name}", f"{name} can't be read") for name, value in readings.items() if value is None]
    if faults or not fields["type"]:
        raise _not_an_event(faults or [Fault("/type", "the type is empty")])
    return Event(
        id=EventId(readings["id"]),
        type=fields["type"],
        version=readings["version"],
        school_id=SchoolId(readings["school"]),
        occurred_at=readings["time"],
        traceparent=fields.get("traceparent"),
        payload=readings["payload"],
    )


def strays_of(fields: Mapping[str, str]) -> list[str]:
    """Return the fields of an entry that no event has."""
    return sorted(name for name in fields if name not in _REQUIRED and name not in _OPTIONAL)


def id_in(fields: Mapping[str, str], name: str) -> UUID | None:
    """Return an id of an entry that may be wrong in other places, or None where it can't be read."""
    return _read_uuid(fields.get(name, ""))


def _not_an_event(faults: list[Fault]) -> InvalidInput:
    return InvalidInput("not an event: " + "; ".join(fault.what for fault in faults), faults)


def _read_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _read_version(text: str) -> Any:
    readable = text.isascii() and text.isdecimal() and len(text) < 5
    return int(text) if readable and int(text) > 0 else None


def _read_time(text: str) -> Any:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _read_payload(text: str) -> Any:
    try:
        payload = json.loads(text)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None
