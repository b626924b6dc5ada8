"""An errand's own process: ``python -m core.timetable.errand_child FD PARENT``. ``apart.py`` is its other side."""

import pickle
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection

from core.timetable.errands import Came, Errand, Failed
from core.timetable.spawning import die_with


def main(arguments: Sequence[str]) -> None:
    """Run the one errand that is sent."""
    descriptor, parent = arguments
    if not die_with(int(parent)):
        return
    connection = Connection(int(descriptor))
    errand: Errand = pickle.loads(connection.recv_bytes())  # noqa: S301 - from who started us
    try:
        came: Came | Failed = Came(errand.function(lambda told: connection.send(replace(told, best=None))))
    except Exception:  # noqa: BLE001 - the process's edge: who sent the errand is told
        came = Failed(traceback.format_exc(limit=-3))
    with suppress(OSError):  # whoever sent it is gone
        connection.send(came)


if __name__ == "__main__":
    main(sys.argv[1:])
