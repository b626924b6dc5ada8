"""Exports the JSON Schema of every event: ``python -m core.events.schemas docs/events``."""

import json
import sys
from pathlib import Path
from typing import Any

from core.events.types import PAYLOADS, SIGNALS

ENVELOPE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Entry",
    "description": "An entry of the stream `events`: flat strings, the payload as JSON.",
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "type", "version", "school", "time", "payload"],
    "properties": {
        "id": {"type": "string", "format": "uuid", "description": "The event, the same at every redelivery."},
        "type": {"type": "string", "enum": sorted({**PAYLOADS, **SIGNALS})},
        "version": {"type": "string", "pattern": "^[1-9][0-9]{0,3}$"},
        "school": {"type": "string", "format": "uuid"},
        "time": {"type": "string", "format": "date-time"},
        "traceparent": {"type": "string", "description": "W3C trace context of what caused the event."},
        "payload": {"type": "string", "contentMediaType": "application/json"},
    },
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return each schema by its file's name: the envelope and every version of every payload."""
    files = {"envelope.schema.json": ENVELOPE}
    for kind, versions in {**PAYLOADS, **SIGNALS}.items():
        for version, model in versions.items():
            schema = model.model_json_schema(by_alias=True, mode="serialization")
            files[f"{kind}.v{version}.schema.json"] = {"$schema": ENVELOPE["$schema"]} | schema
    return files


def export(folder: Path) -> None:
    """Write every schema into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / name).write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    export(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/events"))
