"""The settings of the system that runs from this state folder, for commands given beside it."""

import os

from cluster.settings import Settings
from cluster.state import StateFolder


def running_settings() -> Settings:
    """Return the environment's settings, and where they name no address those of the embedded services that run."""
    settings = Settings.from_environment()
    folder = StateFolder(settings.state_dir)
    record = folder.read_record() if folder.path.exists() else None
    if record is None or not record.guard.alive():
        return settings
    os.environ.update({**record.environment, **record.ray_environment, **_given()})
    return Settings.from_environment()


def _given() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("SCHOOLOS_")}
