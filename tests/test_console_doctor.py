from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import Distribution, PathDistribution
from ipaddress import ip_network
from pathlib import Path

import pytest
from certificates import Certificate, authority, signed_by
from conftest import free_port
from console import ROOT, environment, nightread
from filed_cases import NOW, file_study
from test_listener_store import a_door, associations
from test_patients_feed import served

import migrations
from dicom_listener.tls import tls_context
from nightread.check_door import check_door
from nightread.check_feed import check_feed
from nightread.check_folder import check_folder
from nightread.check_packages import altered_files, is_editable
from nightread.check_records import check_records
from nightread.check_services import check_redis
from nightread.finding import Level
from pacs.adt import Feed, answer
from screening.records.engine import Records
from screening.settings import Settings


def findings(tmp_path: Path, code: int, **settings: object) -> dict[str, dict[str, str]]:
    """Run the doctor, and return what it found by subject."""
    ports = {"dicom_port": free_port(), "worklist_port": free_port()}
    chosen = {**ports, "minimum_free_gigabytes": 0} | settings
    ran = nightread("doctor", "--json", cwd=tmp_path, **chosen)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return {found["subject"]: found for found in json.loads(ran.stdout)}


def test_on_a_whole_installation_nothing_fails(tmp_path: Path) -> None:
    found = findings(tmp_path, 0)
    assert found["torch"]["level"] == "ok"
    assert found["decoders"]["level"] == "ok"
    assert found["model"]["detail"].startswith("mobilenet_v2 ")
    assert "nightread up will start" in found["Redis"]["detail"]
    assert list(tmp_path.iterdir()) == [], "it only looks"


def test_a_worklist_port_that_somebody_else_has_fails(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=hang_up, args=(server,), daemon=True)
        thread.start()
        found = findings(tmp_path, 1, worklist_port=port)
    assert found["worklist port"]["level"] == "FAIL"
    assert "NIGHTREAD_WORKLIST_PORT" in found["worklist port"]["detail"]


def hang_up(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            server.accept()[0].close()


def test_an_altered_model_fails(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(ROOT / "models/bundles/mobilenet_v2", bundle)
    weights = bundle / "models/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    found = findings(tmp_path, 1, model=bundle)
    assert found["model"]["level"] == "FAIL"
    assert "SHA-256" in found["model"]["detail"]


def test_servers_that_do_not_answer_fail(tmp_path: Path) -> None:
    port = free_port()
    found = findings(
        tmp_path,
        1,
        redis_url=f"redis://127.0.0.1:{port}/0",
        database_url=f"postgresql://nobody:secret@127.0.0.1:{port}/none",
    )
    assert found["Redis"]["level"] == "FAIL"
    assert "NIGHTREAD_REDIS_URL" in found["Redis"]["detail"]
    assert found["database"]["level"] == "FAIL"
    assert "secret" not in json.dumps(found)


def test_a_stranger_on_our_port_fails(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.dicom_port)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.recv(1)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        (found,) = check_door(settings)
        thread.join()
    assert found.level is Level.FAIL
    assert "NIGHTREAD_DICOM_PORT" in found.detail


@pytest.mark.parametrize(
    "rules",
    [{"calling_ae_titles": ("MYPACS",)}, {"allowed_networks": (ip_network("10.1.0.0/16"),)}],
)
def test_a_listener_that_does_not_admit_the_doctor_is_well(
    settings: Settings, rules: dict[str, object]
) -> None:
    restricted = settings.model_copy(update=rules)
    with a_door(restricted) as door:
        (found,) = check_door(restricted)
        callers = {row.calling_ae_title for row in associations(door)}
    assert found.level is Level.OK
    assert "do not admit NIGHTREAD_DOCTOR" in found.detail
    assert callers == {"NIGHTREAD_DOCTOR"}, "it does not call under a sender's name"


@pytest.fixture
def known(tmp_path: Path) -> Certificate:
    """An authority for certificates."""
    return authority(tmp_path, "known")


@pytest.fixture
def secured(settings: Settings, known: Certificate) -> Settings:
    """Settings of a listener that takes TLS alone."""
    ours = signed_by(known, "ours", days=100)
    port = {"dicom_port": 0, "tls_port": free_port()}
    return settings.model_copy(update=port | {"tls_certificate": ours.path, "tls_key": ours.key})


def test_a_port_for_tls_alone_is_free_and_then_answers(secured: Settings) -> None:
    certificate, found = check_door(secured)
    assert (certificate.subject, certificate.level) == ("certificate", Level.OK)
    assert (found.subject, found.level) == ("TLS port", Level.OK)
    assert "is free" in found.detail
    with a_door(secured):
        _, found = check_door(secured)
    assert (found.subject, found.level) == ("TLS port", Level.OK)
    assert "TLSv1.3 is spoken" in found.detail


def test_where_senders_must_show_a_certificate_the_doctor_shows_ours(
    secured: Settings, known: Certificate
) -> None:
    with a_door(secured, tls_authorities=known.path) as door:
        _, found = check_door(secured)
        assert associations(door) == []
    assert found.level is Level.OK


def test_a_stranger_on_the_port_for_tls_fails(secured: Settings, settings: Settings) -> None:
    with a_door(settings, dicom_port=secured.tls_port):
        _, found = check_door(secured)
    assert found.level is Level.FAIL
    assert "NIGHTREAD_TLS_PORT" in found.detail


@pytest.mark.parametrize(
    ("days", "level", "said"), [(-1, Level.FAIL, "expired"), (5, Level.WARN, "renew it before")]
)
def test_a_certificate_that_is_not_in_force_for_long_is_noticed(
    secured: Settings, known: Certificate, days: int, level: Level, said: str
) -> None:
    other = signed_by(known, "other", days=days)
    chosen = {"tls_certificate": other.path, "tls_key": other.key}
    found, _ = check_door(secured.model_copy(update=chosen))
    assert (found.subject, found.level) == ("certificate", level)
    assert said in found.detail


def test_a_certificate_that_cannot_be_read_fails(secured: Settings) -> None:
    (found,) = check_door(secured.model_copy(update={"tls_key": Path("/nowhere.key")}))
    assert found.level is Level.FAIL
    assert "NIGHTREAD_TLS_KEY=/nowhere.key" in found.detail


@pytest.fixture
def fed(settings: Settings) -> Settings:
    """Settings of a feed of patients."""
    return settings.model_copy(update={"adt_port": free_port(), "adt_authority": "HOSP"})


def test_without_a_feed_of_patients_nothing_is_said_of_it(settings: Settings) -> None:
    assert list(check_feed(settings)) == []


@pytest.mark.parametrize("rules", [{}, {"adt_networks": (ip_network("10.1.0.0/16"),)}])
def test_the_port_of_the_feed_is_free_and_then_answers(
    fed: Settings, rules: dict[str, object]
) -> None:
    chosen = fed.model_copy(update=rules)
    (found,) = check_feed(chosen)
    assert (found.level, "is free" in found.detail) == (Level.OK, True)
    with a_feed(chosen) as heard:
        (found,) = check_feed(chosen)
    said = "does not admit this machine" if rules else "the feed answers"
    assert (found.level, said in found.detail) == (Level.OK, True), found
    assert heard == [], "nothing is asked for"


@pytest.mark.parametrize("rules", [{}, {"adt_networks": (ip_network("10.1.0.0/16"),)}])
def test_a_stranger_on_the_port_of_the_feed_fails(fed: Settings, rules: dict[str, object]) -> None:
    with socket.create_server(("127.0.0.1", fed.adt_port)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 mail\r\n")
                connection.recv(4096)

        thread = threading.Thread(target=greet)
        thread.start()
        (found,) = check_feed(fed.model_copy(update=rules))
        thread.join()
    assert (found.level, "NIGHTREAD_ADT_PORT" in found.detail) == (Level.FAIL, True)


def test_a_feed_by_tls_answers_and_its_certificate_is_looked_at(
    fed: Settings, known: Certificate
) -> None:
    for days, level in ((100, Level.OK), (5, Level.WARN)):
        ours = signed_by(known, f"ours{days}", days=days)
        tls = {"adt_tls": True, "tls_certificate": ours.path, "tls_key": ours.key}
        chosen = fed.model_copy(update=tls | {"adt_port": free_port()})
        with a_feed(chosen):
            certificate, found = check_feed(chosen)
        assert (certificate.subject, certificate.level) == ("certificate", level)
        assert (found.level, "the feed answers" in found.detail) == (Level.OK, True)
    broken = chosen.model_copy(update={"tls_key": known.path})
    (found,) = check_feed(broken)
    assert found.level is Level.FAIL


def test_an_authority_that_no_image_names_is_a_warning(fed: Settings) -> None:
    records = Records(fed.records_url)
    migrations.upgrade(records)
    file_study(records, "1.1", None, issuer_of_patient_id="ELSEWHERE")
    _, found = check_feed(fed)
    assert (found.level, "ELSEWHERE" in found.detail) == (Level.WARN, True)
    file_study(records, "1.2", None, issuer_of_patient_id="HOSP")
    assert len(list(check_feed(fed))) == 1
    records.close()


@contextlib.contextmanager
def a_feed(settings: Settings) -> Iterator[list[object]]:
    """Serve the feed that settings describe; yields what it was asked to do."""
    heard: list[object] = []

    def take(told: object) -> int:
        heard.append(told)
        return 0

    tls = tls_context(settings) if settings.adt_tls else None
    feed = Feed(settings.adt_applications, settings.adt_authority)
    with served(
        lambda content: answer(content, feed, take),
        port=settings.adt_port,
        networks=settings.adt_networks,
        tls=tls,
    ):
        yield heard


def test_a_full_disk_fails(settings: Settings) -> None:
    found = check_folder(settings.model_copy(update={"minimum_free_gigabytes": 1e6}))
    assert found.level is Level.FAIL
    assert "NIGHTREAD_MINIMUM_FREE_GIGABYTES" in found.detail


def test_a_file_in_place_of_the_folder_fails(settings: Settings) -> None:
    settings.data_dir.write_text("")
    assert check_folder(settings).level is Level.FAIL


def test_a_folder_that_others_can_read_is_a_warning(settings: Settings) -> None:
    settings.data_dir.mkdir()
    settings.data_dir.chmod(0o755)
    assert check_folder(settings).level is Level.WARN
    settings.data_dir.chmod(0o700)
    assert check_folder(settings).level is Level.OK


def test_an_image_that_waits_for_long_is_a_warning(settings: Settings) -> None:
    records = Records(settings.records_url)
    migrations.upgrade(records)
    file_study(records, "1.2.3", None, now=NOW)
    records.close()
    waiting = list(check_records(settings))[-1]
    assert waiting.level is Level.WARN
    assert "nightread work" in waiting.detail


def test_another_schema_fails(settings: Settings) -> None:
    settings.data_dir.mkdir()
    sqlite3.connect(settings.data_dir / "nightread.sqlite").close()
    (found,) = check_records(settings)
    assert found.level is Level.FAIL
    assert "nightread migrate" in found.detail


def test_redis_without_a_worker_is_a_warning(settings: Settings, embedded_redis: object) -> None:
    redis, worker = check_redis(settings)
    assert redis.level is Level.OK
    assert worker.level is Level.WARN


def test_a_library_that_breaks_others_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = tmp_path / "site/torchvision-0.99.dist-info"
    stranger.mkdir(parents=True)
    (stranger / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.99\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    from nightread.check_libraries import check_strangers

    (found,) = check_strangers()
    assert found.level is Level.WARN
    assert "pip uninstall torchvision" in found.detail


def test_a_package_that_stands_before_ours_fails(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/__init__.py").touch()
    code = (
        "from nightread.check_packages import check_packages; print(*check_packages(), sep='\\n')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", "import sys; sys.path.append(sys.argv[1])\n" + code, ROOT],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "FAIL" in ran.stdout
    assert f"imported from {tmp_path / 'models'}" in ran.stdout


def test_files_that_another_distribution_overwrote_are_found(tmp_path: Path) -> None:
    content = b"ours = True\n"
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    (tmp_path / "models").mkdir()
    for name in ("__init__.py", "bundle.py"):
        (tmp_path / "models" / name).write_bytes(content)
    installed = tmp_path / "nightread-0.1.dist-info"
    installed.mkdir()
    lines = [
        f"models/{name},sha256={digest},{len(content)}" for name in ("__init__.py", "bundle.py")
    ]
    (installed / "RECORD").write_text(
        "\n".join([*lines, "nightread-0.1.dist-info/RECORD,,"]) + "\n"
    )
    distribution: Distribution = PathDistribution(installed)
    assert altered_files(distribution) == []
    (tmp_path / "models/bundle.py").write_text("theirs = True\n")
    assert altered_files(distribution) == ["models/bundle.py"]
    (tmp_path / "models/bundle.py").unlink()
    assert altered_files(distribution) == ["models/bundle.py"]


def test_an_editable_installation_is_known_by_its_origin(tmp_path: Path) -> None:
    assert not is_editable(PathDistribution(tmp_path))
    (tmp_path / "direct_url.json").write_text(
        '{"url": "file:///x", "dir_info": {"editable": true}}'
    )
    assert is_editable(PathDistribution(tmp_path))
