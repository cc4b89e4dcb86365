"""Secrets come from files, and leave by no way but the one that they are for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from conftest import free_port, require, wait_until
from console import environment, nightread
from processes import Process, descendants
from pydantic import SecretStr

import migrations
from nightread.check_services import check_redis
from nightread.finding import Level
from screening.errors import RecordsError, SettingsError
from screening.queue.broker import is_there
from screening.records.engine import Records
from screening.settings import Settings
from screening.settings_source import find_sources, load_settings

PASSWORD = "p@ss/w:rd %41#?"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no settings file of the checkout
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of secrets that the settings are told of."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("NIGHTREAD_SECRETS_DIR", str(folder))
    return folder


def test_a_file_is_a_setting(secrets: Path) -> None:
    (secrets / "nightread_ae_title").write_text("FROMFILE\n")
    (secrets / "NIGHTREAD_DICOM_PORT").write_text("104")
    (secrets / "tls.key").write_text("of somebody else")
    settings = load_settings()
    assert (settings.ae_title, settings.dicom_port) == ("FROMFILE", 104)
    assert find_sources().of("ae_title") == str(secrets / "nightread_ae_title")


def test_the_environment_and_the_settings_file_win_over_secrets(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nightread_ae_title", "nightread_model"):
        (secrets / name).write_text("SECRET")
    (tmp_path / "nightread.env").write_text("NIGHTREAD_MODEL=file\nNIGHTREAD_AE_TITLE=FILE\n")
    monkeypatch.setenv("NIGHTREAD_AE_TITLE", "ENVIRONMENT")
    settings = load_settings()
    assert (settings.ae_title, settings.model) == ("ENVIRONMENT", "file")
    assert find_sources().of("model") == "nightread.env"


def test_the_settings_file_may_name_the_folder(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NIGHTREAD_SECRETS_DIR")
    (tmp_path / "nightread.env").write_text(f"NIGHTREAD_SECRETS_DIR={secrets}\n")
    (secrets / "nightread_ae_title").write_text("FROMFILE")
    assert load_settings().ae_title == "FROMFILE"


def test_the_credentials_of_a_unit_are_found(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NIGHTREAD_SECRETS_DIR")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    (secrets / "nightread_ae_title").write_text("FROMUNIT")
    assert load_settings().ae_title == "FROMUNIT"


def test_links_as_kubernetes_makes_them_are_followed(secrets: Path) -> None:
    (secrets / "..2026").mkdir()
    (secrets / "..2026" / "nightread_ae_title").write_text("LINKED")
    (secrets / "..data").symlink_to("..2026")
    (secrets / "nightread_ae_title").symlink_to("..data/nightread_ae_title")
    assert load_settings().ae_title == "LINKED"


def unreadable(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.write_text(" \n")


def leading_out(path: Path) -> None:
    outside = path.parent.parent / "outside"
    outside.write_text("x")
    path.symlink_to(outside)


def twice(path: Path) -> None:
    path.write_text("x")
    path.with_name(path.name.upper()).write_text("y")


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("nightread_database_password", unreadable, "cannot be read"),
        ("nightread_database_password", lambda path: path.symlink_to(path), "cannot be read"),
        ("nightread_database_password", lambda path: path.symlink_to("gone"), "cannot be read"),
        ("nightread_database_password", empty, "is empty"),
        ("nightread_database_password", lambda path: path.write_bytes(b"\xff\xfe"), "no text"),
        ("nightread_database_password", lambda path: path.write_text("a\nb"), "several lines"),
        ("nightread_database_password", leading_out, "leads out of its folder"),
        ("nightread_database_password", twice, "a second file"),
        ("nightread_database_pasword", lambda path: path.write_text("x"), "no such setting"),
    ],
)
def test_a_secret_that_cannot_be_is_refused_with_its_file(
    secrets: Path,
    name: str,
    make: object,
    said: str,
) -> None:
    assert callable(make)
    make(secrets / name)
    with pytest.raises(SettingsError, match=said) as refused:
        load_settings()
    assert name in str(refused.value).lower()


def test_a_folder_of_secrets_that_is_not_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NIGHTREAD_SECRETS_DIR", "nowhere")
    with pytest.raises(SettingsError, match="nowhere: there is no such folder"):
        load_settings()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"DATABASE_PASSWORD": "hush"}, "names no server"),
        (
            {"DATABASE_PASSWORD": "hush", "DATABASE_URL": "postgresql://host/db"},
            "names no user",
        ),
        (
            {"DATABASE_PASSWORD": "hush", "DATABASE_URL": "postgresql://u:other@host/db"},
            "holds a password too",
        ),
        ({"REDIS_PASSWORD": "hush"}, "names no server"),
        ({"REDIS_PASSWORD": "hush", "REDIS_URL": "redis+socket:///r"}, "names no server"),
        ({"REDIS_PASSWORD": "hush", "REDIS_URL": "redis://:other@host"}, "holds a password too"),
    ],
)
def test_a_password_without_a_place_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"NIGHTREAD_{name}", value)
    with pytest.raises(SettingsError, match=said) as refused:
        load_settings()
    assert "hush" not in str(refused.value)
    assert "other" not in str(refused.value)


def test_settings_show_no_password(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        database_url="postgresql://u@h/db",
        database_password=SecretStr(PASSWORD),
        redis_url="redis://h",
        redis_password=SecretStr(PASSWORD),
    )
    assert PASSWORD not in repr(settings) + str(settings)
    assert urlsplit(settings.broker_url).hostname == "h"


@pytest.fixture
def guarded_database(postgresql_url: str) -> Iterator[str]:
    """A database whose user needs a password, as the address without it."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        name = connection.info.dbname
        quoted = PASSWORD.replace("'", "''")
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{quoted}'")  # type: ignore[call-overload]
        connection.execute(f"GRANT ALL ON SCHEMA public TO {name}")  # type: ignore[call-overload]
        (file,) = connection.execute("SHOW hba_file").fetchone() or ()
        before = Path(file).read_text()
        Path(file).write_text(f"host {name} {name} 127.0.0.1/32 scram-sha-256\n{before}")
        connection.execute("SELECT pg_reload_conf()")
        yield postgresql_url.replace("//test@", f"//{name}@")
        Path(file).write_text(before)
        connection.execute("SELECT pg_reload_conf()")


def test_postgresql_is_opened_with_the_password_of_its_file(
    guarded_database: str, secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTREAD_DATABASE_URL", guarded_database)
    (secrets / "nightread_database_password").write_text(PASSWORD + "\n")
    records = Records(load_settings().records_url)
    migrations.upgrade(records)
    records.check_schema()
    records.close()
    ran = nightread("doctor", cwd=tmp_path, worklist_port=free_port(), dicom_port=free_port())
    assert "postgresql answers" in ran.stdout
    assert "secrets" in ran.stdout
    assert PASSWORD not in ran.stdout + ran.stderr


def test_a_wrong_password_is_said_and_not_shown(
    guarded_database: str, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTREAD_DATABASE_URL", guarded_database)
    (secrets / "nightread_database_password").write_text("hush-hush")
    records = Records(load_settings().records_url)
    with pytest.raises(RecordsError) as refused:
        records.check_schema()
    records.close()
    assert "hush" not in str(refused.value)


@pytest.fixture
def guarded_redis(tmp_path: Path) -> Iterator[str]:
    """A Redis that needs the password, as the address without it."""
    program = shutil.which("redis-server")
    require(program, "no Redis: install Debian's redis-server")
    assert program is not None
    port = free_port()
    configuration = f'requirepass "{PASSWORD}"\nport {port}\nbind 127.0.0.1\ndir {tmp_path}\n'
    with subprocess.Popen(
        [program, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdin is not None
        server.stdin.write(configuration)
        server.stdin.close()
        url = f"redis://127.0.0.1:{port}/0"
        wait_until(lambda: is_there(url), 10, "Redis listens")
        yield url
        server.terminate()


@pytest.mark.parametrize(("password", "level"), [(PASSWORD, Level.OK), ("hush", Level.FAIL)])
def test_redis_is_asked_with_the_password(
    guarded_redis: str, tmp_path: Path, password: str, level: Level
) -> None:
    settings = Settings(
        data_dir=tmp_path, redis_url=guarded_redis, redis_password=SecretStr(password)
    )
    found = list(check_redis(settings))
    assert found[0].level is level
    assert password not in str(found)


@pytest.fixture
def guarded(
    guarded_redis: str, guarded_database: str, secrets: Path, tmp_path: Path
) -> dict[str, object]:
    """Settings of an installation whose database and Redis need passwords, which are in files."""
    for name in ("database", "redis"):
        (secrets / f"nightread_{name}_password").write_text(PASSWORD)
    return {
        "database_url": guarded_database,
        "redis_url": guarded_redis,
        "secrets_dir": secrets,
        "data_dir": tmp_path / "data",
        "minimum_free_gigabytes": 0,
        "log_level": "DEBUG",
    }


def test_the_settings_in_force_are_shown_without_secrets(
    guarded: dict[str, object], tmp_path: Path
) -> None:
    ran = nightread("settings", "--json", cwd=tmp_path, **guarded)
    shown = {each["name"]: each for each in json.loads(ran.stdout)}
    assert shown["NIGHTREAD_DATABASE_PASSWORD"]["value"] == "***"
    assert shown["NIGHTREAD_DATABASE_PASSWORD"]["source"].endswith("nightread_database_password")
    assert shown["NIGHTREAD_LOG_LEVEL"]["source"] == "environment"
    assert shown["NIGHTREAD_MODEL"]["source"] == "default"
    assert PASSWORD not in ran.stdout


def test_a_process_names_its_secrets_nowhere(guarded: dict[str, object], tmp_path: Path) -> None:
    assert nightread("migrate", cwd=tmp_path, **guarded).returncode == 0
    watch = free_port()
    chosen = environment(**guarded, dicom_port=free_port(), listener_watch_port=watch)
    log = tmp_path / "log"
    with (
        log.open("wb") as stream,
        subprocess.Popen(
            [sys.executable, "-P", "-m", "nightread", "listen"], env=chosen, stderr=stream
        ) as listener,
    ):
        try:
            wait_until(lambda: is_there(f"redis://127.0.0.1:{watch}"), 30, "it is watched")
            with urllib.request.urlopen(f"http://127.0.0.1:{watch}/readyz", timeout=20) as answer:
                assert json.load(answer)["records"] == "ok"
            family = [Process(listener.pid, ""), *descendants(listener.pid)]
            shown = [Path(f"/proc/{each.pid}/cmdline").read_text() for each in family]
            shown += [Path(f"/proc/{each.pid}/environ").read_text() for each in family]
        finally:
            listener.terminate()
    assert "nightread" in shown[0]
    assert PASSWORD not in "".join(shown) + log.read_text()
