from __future__ import annotations

from pathlib import Path

import pytest

from screening.errors import SettingsError
from screening.settings import Settings
from screening.settings_source import load_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no settings file of the checkout


def test_the_defaults_stand_on_one_machine_and_loopback() -> None:
    settings = load_settings()
    assert (settings.ae_title, settings.dicom_host, settings.dicom_port) == (
        "NIGHTREAD",
        "127.0.0.1",
        11112,
    )
    assert settings.records_url.startswith("sqlite:///")
    assert settings.broker_url.startswith("redis+socket:///")
    assert settings.data_dir.is_absolute()


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nightread.env").write_text("NIGHTREAD_AE_TITLE=FILE\nNIGHTREAD_DICOM_PORT=104\n")
    monkeypatch.setenv("NIGHTREAD_AE_TITLE", "ENVIRONMENT")
    settings = load_settings()
    assert (settings.ae_title, settings.dicom_port) == ("ENVIRONMENT", 104)


def test_titles_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTREAD_CALLING_AE_TITLES", " PACS1, PACS2 ,")
    assert load_settings().calling_ae_titles == ("PACS1", "PACS2")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("AE_TITLE", "A TITLE THAT IS TOO LONG", "1 to 16 characters"),
        ("AE_TITLE", "   ", "1 to 16 characters"),
        ("AE_TITLE", "BACK\\SLASH", "backslash"),
        ("CALLING_AE_TITLES", "GOOD,ÜBEL", "printable ASCII"),
        ("DICOM_PORT", "0", "NIGHTREAD_TLS_PORT=0: there is no port left"),
        ("DICOM_PORT", "70000", "less than or equal to 65535"),
        ("DICOM_PORT", "eleven", "integer"),
        ("DATABASE_URL", "mysql://root@host/db", "sqlite:///"),
        ("DATABASE_URL", "nonsense", "postgresql://"),
        ("DATABASE_URL", "postgresql://u@h:notaport/db", "must be a number"),
        ("DATABASE_URL", "sqlite:///x?mode=memory", "takes no options"),
        ("REDIS_URL", "http://localhost", "redis://"),
        ("REDIS_URL", "redis://h:xx", "must be a number"),
        ("STUDY_QUIET_SECONDS", "-1", "greater than or equal to 0"),
        ("STUDY_QUIET_SECONDS", "nan", "less than or equal to 86400"),
        ("LOG_LEVEL", "LOUD", "DEBUG|INFO|WARNING|ERROR"),
        ("MAXIMUM_ATTEMPTS", "0", "greater than or equal to 1"),
        ("MODEL", "", "at least 1 character"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_its_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(f"NIGHTREAD_{name}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    message = str(refused.value)
    assert f"NIGHTREAD_{name}" in message
    assert value.split(",")[-1].strip() in message
    assert allowed in message


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTREAD_DICOM_PORT", "-1")
    monkeypatch.setenv("NIGHTREAD_AE_TITLE", "")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "NIGHTREAD_DICOM_PORT" in str(refused.value)
    assert "NIGHTREAD_AE_TITLE" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ({}, False),
        ({"OPEN_TO_ALL": "true"}, True),
        ({"CALLING_AE_TITLES": "PACS"}, True),
        ({"ALLOWED_NETWORKS": "10.1.0.0/16, 10.2.0.7"}, True),
        ({"TLS_PORT": "2762", "TLS_CERTIFICATE": "c", "TLS_KEY": "k"}, False),
        (
            {
                "TLS_PORT": "2762",
                "TLS_CERTIFICATE": "c",
                "TLS_KEY": "k",
                "TLS_AUTHORITIES": "a",
                "DICOM_PORT": "0",
            },
            True,
        ),
    ],
)
def test_beyond_this_machine_an_open_door_must_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], safe: bool
) -> None:
    for name, value in ({"DICOM_HOST": "0.0.0.0"} | given).items():
        monkeypatch.setenv(f"NIGHTREAD_{name}", value)
    if safe:
        assert load_settings().dicom_host == "0.0.0.0"
    else:
        with pytest.raises(SettingsError, match=r"NIGHTREAD_CALLING_AE_TITLES.*OPEN_TO_ALL"):
            load_settings()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"TLS_PORT": "2762"}, "needs NIGHTREAD_TLS_CERTIFICATE"),
        ({"TLS_PORT": "11112"}, "are both 11112"),
        ({"ALLOWED_NETWORKS": "10.1.0.0/99"}, "NIGHTREAD_ALLOWED_NETWORKS"),
        ({"ALLOWED_NETWORKS": "somewhere"}, "NIGHTREAD_ALLOWED_NETWORKS"),
    ],
)
def test_ports_and_networks_that_cannot_be_are_refused(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"NIGHTREAD_{name}", value)
    with pytest.raises(SettingsError, match=said):
        load_settings()


def test_a_lease_shorter_than_the_sweep_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTREAD_LEASE_SECONDS", "2")
    with pytest.raises(SettingsError, match="NIGHTREAD_LEASE_SECONDS must be at least"):
        load_settings()


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_misspelt_setting_is_no_silent_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "file":
        (tmp_path / "nightread.env").write_text("NIGHTREAD_AETITLE=X\n")
    else:
        monkeypatch.setenv("NIGHTREAD_AETITLE", "X")
    with pytest.raises(SettingsError, match="NIGHTREAD_AETITLE: no such setting"):
        load_settings()


def test_a_settings_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTREAD_SETTINGS_FILE", "elsewhere.env")
    with pytest.raises(SettingsError, match=r"elsewhere\.env: there is no such file"):
        load_settings()


def test_a_password_is_not_shown_when_its_url_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTREAD_DATABASE_URL", "mysql://user:hun@ter2@host/db")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "ter2" not in str(refused.value)


def test_a_data_folder_too_deep_for_a_socket_still_has_one(tmp_path: Path) -> None:
    deep = Settings(data_dir=tmp_path / ("d" * 120))
    assert len(str(deep.embedded_redis_socket)) <= 107
    other = Settings(data_dir=tmp_path / ("e" * 120))
    assert deep.embedded_redis_socket != other.embedded_redis_socket


def test_who_may_store_must_be_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTREAD_CALLING_AE_TITLES", "MYPACS,CT1")
    monkeypatch.setenv("NIGHTREAD_STORING_AE_TITLES", "MYPACS,OTHER")
    with pytest.raises(SettingsError, match="names OTHER, which NIGHTREAD_CALLING_AE_TITLES"):
        load_settings()


@pytest.mark.parametrize(
    ("given", "said"),
    [("10.1.0.5/16", "has host bits set"), ("hospital", "does not appear to be an IPv4 or IPv6")],
)
def test_a_wrong_network_is_named_with_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    monkeypatch.setenv("NIGHTREAD_ALLOWED_NETWORKS", f"192.168.0.0/24,{given}")
    with pytest.raises(SettingsError, match=said):
        load_settings()
