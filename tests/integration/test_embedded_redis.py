"""The embedded Redis starts, keeps what it was told, and stops without a trace."""

import os
import signal
from pathlib import Path

import psutil
import pytest
import redis

from cluster.embedded.process import ProcessMark
from cluster.embedded.redis import EmbeddedRedis
from core.errors import Unavailable


def test_what_was_written_survives_kill_9(tmp_path: Path) -> None:
    """A durable server that is killed comes back with its data, at an address that asks for the password."""
    server = EmbeddedRedis(tmp_path, near_port=24_379)
    with redis.Redis.from_url(server.start()) as client:
        client.xadd("events", {"type": "scores.published"})
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with redis.Redis.from_url(server.start()) as client:
        assert client.xlen("events") == 1
    server.stop()
    assert server.pid is None


def test_the_password_is_needed(tmp_path: Path) -> None:
    """A client without the password is turned away."""
    server = EmbeddedRedis(tmp_path, durable=False, near_port=24_379)
    address = server.start()
    try:
        with (
            redis.Redis.from_url("redis://127.0.0.1:" + address.rsplit(":", 1)[1]) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()
    finally:
        server.stop()
    with pytest.raises(Unavailable, match="not running"):
        _ = server.url


def test_a_mark_knows_its_process_from_a_later_one_of_that_number(tmp_path: Path) -> None:
    """A pid file whose process was born at another moment names no process of ours."""
    stranger = ProcessMark(os.getpid(), 1.0)
    stranger.write(tmp_path / "redis.pid")
    assert EmbeddedRedis(tmp_path).pid is None
    assert ProcessMark.of(os.getpid()).alive()


def test_a_mark_outlives_a_clock_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was marked before the clock was put right is known after it, and so is what an earlier version marked."""
    ProcessMark.of(os.getpid()).write(tmp_path / "redis.pid")
    earlier = ProcessMark(os.getpid(), psutil.Process().create_time())
    assert earlier.alive()
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: earlier.born_at + 3600)
    assert EmbeddedRedis(tmp_path).pid == os.getpid()
