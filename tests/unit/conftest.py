"""Unit tests run without a cluster and without a network: both raise."""

import socket

import pytest
import ray


@pytest.fixture(autouse=True)
def _no_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``ray.init`` and every connection raise."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a unit test reached outside")

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
