"""Free ports on loopback."""

import socket
import zlib
from pathlib import Path

_FIRST, _LAST = 20_100, 31_900
"""Above Ray's worker range (10002-19999), below Linux's ephemeral one (32768-60999)."""
_SERVE = 30_000
"""Ray Serve's replicas answer their proxy from here to 31000."""
_STEP = 30
"""One system takes some 16 ports."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def port_base(folder: Path) -> int:
    """Return where a folder's ports begin, so that two systems that start at once look in different places."""
    return _FIRST + _STEP * (zlib.crc32(str(folder).encode()) % ((_SERVE - _FIRST) // _STEP))


def free_ports(count: int, *, near: int = _FIRST, host: str = "127.0.0.1") -> list[int]:
    """Return that many free ports at or above ``near``. Raises ``RuntimeError`` when there are too few."""
    found = []
    for port in range(near, _LAST):
        if is_free(port, host):
            found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError(f"no {count} free ports between {near} and {_LAST}")
