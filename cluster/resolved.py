"""Settings as one process hands them to another: through its environment, so that no secret is on a command line."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr, TypeAdapter

from cluster.settings import Settings, known_variables

_DURATIONS = TypeAdapter(timedelta)


def as_environment(settings: Settings) -> dict[str, str]:
    """Return the variables by which ``Settings.from_environment`` gives these very settings."""
    told = {}
    for variable, path in known_variables().items():
        value: Any = settings
        for name in path.split("."):
            value = getattr(value, name)
        if value is not None:
            told[variable] = _text(value)
    return told


def with_values(settings: Settings, values: Mapping[str, Mapping[str, object]]) -> Settings:
    """Return the settings with some of their groups' values replaced: ``{"redis": {"url": ...}}``."""
    groups = {name: getattr(settings, name).model_copy(update=dict(given)) for name, given in values.items()}
    return settings.model_copy(update=groups)


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, timedelta):
        return str(_DURATIONS.dump_python(value, mode="json"))
    if isinstance(value, tuple):
        return json.dumps([_text(item) for item in value])
    if isinstance(value, bool | int | float | str | Path):
        return str(value)
    raise TypeError(f"a setting of type {type(value).__name__} has no text")
