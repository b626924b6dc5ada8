"""How a Ray job finds the system: the cluster tells it the settings, whatever folder the job was submitted from."""

from typing import Any

import ray

from cluster.settings import Settings
from core.errors import Unavailable

NAMESPACE = "schoolos"
_NAME = "directory"
_TIMEOUT_S = 10.0


class Directory:
    """A detached actor that holds the resolved settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def settings(self) -> Settings:
        """Return the settings."""
        return self._settings


def start_directory(settings: Settings) -> None:
    """Start the directory, or put a new one in the place of an old one."""
    if (old := _find()) is not None:
        ray.kill(old, no_restart=True)
    actor: Any = ray.remote(Directory).options(
        name=_NAME, namespace=NAMESPACE, lifetime="detached", num_cpus=0, max_restarts=-1, max_task_retries=-1
    )
    directory = actor.remote(settings)
    ray.get(directory.settings.remote(), timeout=60)


def settings_from_cluster() -> Settings:
    """Return the settings of the system whose cluster this process is connected to, or connects to by its environment.

    Raises ``Unavailable`` where no system runs on the cluster.
    """
    if not ray.is_initialized():
        ray.init(address="auto", namespace=NAMESPACE, log_to_driver=False)
    if (found := _find()) is None:
        raise Unavailable("SchoolOS does not run on this Ray cluster; start it with `schoolos up`")
    settings: Settings = ray.get(found.settings.remote(), timeout=_TIMEOUT_S)
    return settings


def _find() -> Any | None:
    try:
        return ray.get_actor(_NAME, namespace=NAMESPACE)
    except ValueError:
        return None
