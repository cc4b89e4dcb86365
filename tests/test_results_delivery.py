"""Results on their way to a PACS, an Orthanc of our own: they arrive, once, whatever fails."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from certificates import authority, signed_by
from conftest import free_port, require, wait_until
from console import nightread
from desk import TestDesk
from filed_cases import NOW, file_study
from installation import Installation
from orthanc_server import Orthanc, running_orthanc
from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom.events import Event
from receiver import dropped_sockets, receiver
from result_studies import file_results, heat, make_objects, screened, storage
from sqlalchemy import select
from web_peer import always, web_peer

from pacs.commitment_request import Commitment
from pacs.courier import Courier
from pacs.destinations import Destination, read_destinations
from pacs.outgoing import outgoing_folder
from pacs.peer import Peer
from pacs.results.identity import Kind
from pacs.send import send
from pacs.survey import Part10File, survey
from phantoms.load import small_study
from screening.domain.account import Role
from screening.domain.commitment import Reference
from screening.domain.delivery import DeliveryState, pause_after
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.errors import DeliveryError, SettingsError
from screening.records.changes import changed_studies, note_change
from screening.records.deliveries import (
    Delivery,
    count_strangers,
    deliveries_of,
    hasten,
    plan,
    resend,
    take_due,
)
from screening.records.dossier import open_dossier
from screening.records.engine import Records
from screening.records.schema import StudyRow
from screening.settings import Settings

MADE = {"SR": 1, "KO": 1, "OT": 3, "PR": 2}
"""Modalities of what `file_results` makes: report, key images, captures and summary, outlines."""


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    yield made
    made.close()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    require(Path(program).exists(), "Orthanc is not installed: apt-get install orthanc")
    folder = tmp_path_factory.mktemp("pacs") / "orthanc"
    with running_orthanc(program, folder, {"nightread": ["NIGHTREAD", "127.0.0.1", 104]}) as server:
        yield server


def destination(port: int, **changes: Any) -> Destination:  # noqa: ANN401
    given = {"name": "pacs", "ae_title": "ORTHANC", "host": "127.0.0.1", "port": port}
    return Destination(**{**given, **changes})


class Rig:
    """A courier with storages, whose clock does not wait."""

    def __init__(self, desk: TestDesk, *destinations: Destination) -> None:
        self.carriers = {each.name: storage(desk, each) for each in destinations}
        self.courier = Courier(
            desk.records,
            list(self.carriers.values()),
            quiet=dt.timedelta(0),
            shortest_pause=dt.timedelta(0),
        )
        self.plan = self.courier.plan

    def deliver(self, to: Destination) -> int:
        done, _ = self.courier.deliver(self.carriers[to.name])
        return done


def delivery(desk: TestDesk, uid: str) -> Delivery:
    with desk.records.read() as session:
        (found,) = deliveries_of(session, uid)
    return found


def held(orthanc: Orthanc, uid: str) -> dict[str, int]:
    """Count what the PACS has of a study, by modality."""
    query = b'{"Level": "Instance", "Query": {"StudyInstanceUID": "%s"}, "Expand": false}'
    found = orthanc.call("/tools/find", query % uid.encode())
    counts: dict[str, int] = {}
    for instance in found:
        tags = orthanc.call(f"/instances/{instance}/simplified-tags")
        counts[tags["Modality"]] = counts.get(tags["Modality"], 0) + 1
    return counts


def send_originals(desk: TestDesk, uid: str, orthanc: Orthanc) -> None:
    with desk.records.read() as session:
        dossier = open_dossier(session, uid)
    assert dossier is not None
    paths = [desk.archive.path(image.digest) for image in dossier.images]
    files = [each for each in survey(paths) if isinstance(each, Part10File)]
    peer = Peer("127.0.0.1", orthanc.dicom_port, "ORTHANC", "MODALITY")
    assert all(sent.accepted for sent in send(files, peer))


def test_results_arrive_in_the_study_that_was_screened(desk: TestDesk, orthanc: Orthanc) -> None:
    uid = file_results(desk, 11)
    send_originals(desk, uid, orthanc)
    to = destination(orthanc.dicom_port)
    carrier = Rig(desk, to)
    assert carrier.plan() == 1
    assert carrier.deliver(to) == 1
    found = held(orthanc, uid)
    assert {name: found.get(name, 0) for name in MADE} == MADE
    assert found["DX"] == 4
    query = b'{"Level": "Study", "Query": {"StudyInstanceUID": "%s"}}' % uid.encode()
    assert len(orthanc.call("/tools/find", query)) == 1
    done = delivery(desk, uid)
    assert (done.state, len(done.objects)) == (DeliveryState.DELIVERED, 7)
    assert {each.status for each in done.objects} == {0}
    assert carrier.plan() == 0, "there is nothing new to tell"


def test_what_has_arrived_is_not_sent_again_unless_asked_for(
    desk: TestDesk, orthanc: Orthanc
) -> None:
    uid = file_results(desk, 12)
    to = destination(orthanc.dicom_port)
    carrier = Rig(desk, to)
    carrier.plan()
    carrier.deliver(to)
    with desk.records.begin() as session:
        resend(session, uid, ["pacs"], desk.now)
    carrier.deliver(to)
    assert held(orthanc, uid) == MADE, "they replace, they never double"
    assert {each.times for each in delivery(desk, uid).objects} == {2}
    with desk.records.begin() as session, pytest.raises(DeliveryError, match="was received"):
        resend(session, "1.2.3", ["pacs"], desk.now)


def test_a_review_supersedes_the_report(desk: TestDesk, orthanc: Orthanc) -> None:
    uid = file_results(desk, 13)
    to = destination(orthanc.dicom_port, objects=[Kind.REPORT, Kind.CAPTURE])
    carrier = Rig(desk, to)
    carrier.plan()
    carrier.deliver(to)
    anna = desk.signed_in("anna", Role.RADIOLOGIST)
    answer = anna.post(
        f"/api/v1/studies/{uid}/reviews", json={"opinion": "disagree", "finding": "no_fracture"}
    )
    assert answer.status_code == 201
    assert carrier.plan() == 1
    carrier.deliver(to)
    first, *_, last = [o for o in delivery(desk, uid).objects if o.kind == Kind.REPORT]
    assert held(orthanc, uid) == {"SR": 2, "OT": 2}, "the captures are the same, and stay"
    (instance,) = orthanc.call("/tools/lookup", last.sop_instance_uid.encode())
    tags = orthanc.call(f"/instances/{instance['ID']}/simplified-tags")
    before = tags["PredecessorDocumentsSequence"][0]["ReferencedSeriesSequence"][0]
    assert before["ReferencedSOPSequence"][0]["ReferencedSOPInstanceUID"] == first.sop_instance_uid
    assert "DISAGREE" in str(tags)
    page = anna.get(f"/cases/{uid}").text
    assert "<b>pacs</b>: delivered" in page
    assert "2 report" in page


def test_our_own_objects_that_come_back_tell_nothing_new(desk: TestDesk, orthanc: Orthanc) -> None:
    uid = file_results(desk, 14)
    to = destination(orthanc.dicom_port)
    carrier = Rig(desk, to)
    carrier.plan()
    carrier.deliver(to)
    (ds,) = small_study(14, 1)
    ds.SOPInstanceUID, ds.StudyInstanceUID = "1.2.3.4", uid
    ds.Manufacturer, ds.ImageType = "Nightread", ["DERIVED", "SECONDARY"]
    desk.file(ds, Exclusion(Reason.DERIVED_BY_US))
    assert carrier.plan() == 0
    assert {each.times for each in delivery(desk, uid).objects} == {1}
    assert held(orthanc, uid) == MADE


def test_a_pacs_killed_in_mid_delivery_and_away_for_an_hour_gets_each_object_once(
    desk: TestDesk, tmp_path: Path
) -> None:
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    require(Path(program).exists(), "Orthanc is not installed: apt-get install orthanc")
    large = file_flagged(desk, 15, images=40)
    uids = [large, file_results(desk, 16)]
    with running_orthanc(program, tmp_path / "pacs", {}) as pacs:
        to = destination(pacs.dicom_port)
        rig = Rig(desk, to)
        rig.plan()
        killer = threading.Thread(target=kill_when_it_has, args=(pacs, 10))
        killer.start()
        assert rig.deliver(to) == 0
        killer.join()
    took = len(delivery(desk, large).objects)
    assert 0 < took < 1 + 1 + 1 + 2 * 40, "some of it was acknowledged"
    for _ in range(9):  # with pauses of half a minute and more it would be an hour
        assert rig.deliver(to) == 0
    waiting = [delivery(desk, uid) for uid in uids]
    assert all(each.state is DeliveryState.DUE for each in waiting)
    assert sum(each.attempts for each in waiting) == 10
    assert any("nobody answers" in (each.last_error or "") for each in waiting)
    with running_orthanc(program, tmp_path / "pacs", {}) as back:
        again = destination(back.dicom_port)
        assert Rig(desk, again).deliver(again) == 2
        assert held(back, uids[1]) == MADE
        assert held(back, large) == {"SR": 1, "KO": 1, "OT": 41, "PR": 40}
    for uid in uids:
        assert {each.times for each in delivery(desk, uid).objects} == {1}


def file_flagged(desk: TestDesk, number: int, images: int) -> str:
    """File a study of which each image is flagged."""
    uid = ""
    for ds in small_study(number, images):
        uid = desk.file(ds, Prediction(0.9), heat())
    return uid


def kill_when_it_has(orthanc: Orthanc, instances: int) -> None:
    wait_until(
        lambda: orthanc.call("/statistics")["CountInstances"] >= instances,
        60,
        "it has some of the objects",
    )
    orthanc.kill()


def test_one_that_is_away_holds_up_nobody(desk: TestDesk, orthanc: Orthanc) -> None:
    uid = file_results(desk, 17)
    there = destination(orthanc.dicom_port)
    away = destination(free_port(), name="away")
    carrier = Rig(desk, away, there)
    thread = threading.Thread(target=carrier.courier.run, args=(0.1,))
    thread.start()
    try:
        wait_until(lambda: held(orthanc, uid) == MADE, 30, "the results arrive")
    finally:
        carrier.courier.stop()
        thread.join(30)
    assert not thread.is_alive()


def test_after_days_it_is_given_up_and_listed_with_the_reason(desk: TestDesk) -> None:
    uid = file_results(desk, 18)
    away = destination(free_port(), give_up_days=1e-9)
    carrier = Rig(desk, away)
    carrier.plan()
    carrier.deliver(away)
    dead = delivery(desk, uid)
    assert dead.state is DeliveryState.DEAD
    assert "nobody answers" in (dead.last_error or "")
    assert carrier.deliver(away) == 0, "nobody tries any more"
    with desk.records.begin() as session:
        resend(session, uid, ["pacs"], desk.now)
    assert delivery(desk, uid).state is DeliveryState.DUE


@pytest.mark.parametrize(
    ("changes", "arrive"),
    [
        ({"verdicts": ["suspected"]}, {18: True, 19: False}),
        ({"verdicts": ["clear"]}, {18: False, 19: True}),
        ({"senders": ["PACS"]}, {18: True, 19: True}),
        ({"senders": ["ANOTHER"]}, {18: False, 19: False}),
    ],
)
def test_a_destination_gets_what_it_wants(
    desk: TestDesk, changes: dict[str, Any], arrive: dict[int, bool]
) -> None:
    uids = {18: file_results(desk, 18), 19: desk.file(next(small_study(19, 1)), Prediction(0.01))}
    Rig(desk, destination(free_port(), **changes)).plan()
    with desk.records.read() as session:
        planned = {number: bool(deliveries_of(session, uid)) for number, uid in uids.items()}
    assert planned == arrive


def test_a_study_is_told_once_all_of_it_is_known(desk: TestDesk) -> None:
    first, second = small_study(20, 2)
    uid = desk.file(first, Prediction(0.9), heat())
    desk.file(second, None)
    carrier = Rig(desk, destination(free_port()))
    assert carrier.plan() == 0
    desk.score(second, Prediction(0.1))
    assert carrier.plan() == 1
    assert delivery(desk, uid).state is DeliveryState.DUE


def test_a_dicomweb_server_takes_them_as_well(desk: TestDesk, tmp_path: Path) -> None:
    plugin = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    require(plugin.exists(), "orthanc-dicomweb is not installed: apt-get install orthanc-dicomweb")
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    uid = file_results(desk, 23)
    with running_orthanc(program, tmp_path / "web", {}, plugins=[str(plugin)]) as web:
        to = Destination(name="pacs", stow_url=f"{web.url}/dicom-web")
        carrier = Rig(desk, to)
        carrier.plan()
        assert carrier.deliver(to) == 1
        assert held(web, uid) == MADE
        elsewhere = Destination(name="pacs", stow_url=f"{web.url}/nowhere")
        with desk.records.begin() as session:
            resend(session, uid, ["pacs"], desk.now)
        assert Rig(desk, elsewhere).deliver(elsewhere) == 0
    assert "answers 404" in (delivery(desk, uid).last_error or "")
    assert Rig(desk, to).deliver(to) == 0, "it is away"
    assert "does not answer" in (delivery(desk, uid).last_error or "")


def test_what_is_long_past_is_not_news_to_a_destination_that_is_new(desk: TestDesk) -> None:
    desk.now -= dt.timedelta(days=8)
    uid = file_results(desk, 22)
    assert Rig(desk, destination(free_port())).plan() == 0
    with desk.records.read() as session:
        assert deliveries_of(session, uid) == []
    desk.now += dt.timedelta(days=8)
    desk.signed_in("anna").post(f"/api/v1/studies/{uid}/reviews", json={"opinion": "agree"})
    assert Rig(desk, destination(free_port())).plan() == 1


def test_what_a_pacs_never_takes_is_given_up_at_once(desk: TestDesk) -> None:
    uid = file_results(desk, 21)
    with receiver({SecondaryCaptureImageStorage: [ExplicitVRLittleEndian]}) as peer:
        to = destination(peer.port, ae_title="ARCHIVE")
        carrier = Rig(desk, to)
        carrier.plan()
        carrier.deliver(to)
        assert peer.associations == 1
    found = delivery(desk, uid)
    assert found.state is DeliveryState.DEAD
    assert "takes no Comprehensive 3D SR" in (found.last_error or "")
    assert {each.kind for each in found.objects} == {"capture", "summary"}


STORED = {
    uid: [ExplicitVRLittleEndian]
    for uid in (
        SecondaryCaptureImageStorage,
        Comprehensive3DSRStorage,
        KeyObjectSelectionDocumentStorage,
        GrayscaleSoftcopyPresentationStateStorage,
    )
}


def test_results_go_over_tls_to_whom_an_authority_vouches_for(
    desk: TestDesk, tmp_path: Path
) -> None:
    ours, another = authority(tmp_path, "ours"), authority(tmp_path, "another")
    shown = signed_by(ours, "pacs")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.path, shown.key)
    uid = file_results(desk, 24)
    with receiver(STORED, tls=context) as peer, dropped_sockets():
        for trusted, done in ((another, 0), (ours, 1)):
            to = destination(
                peer.port,
                ae_title="ARCHIVE",
                host="localhost",
                tls=True,
                tls_authorities=trusted.path,
            )
            carrier = Rig(desk, to)
            carrier.plan()
            assert carrier.deliver(to) == done
        assert len(peer.came) == 7
    assert delivery(desk, uid).state is DeliveryState.DELIVERED


def test_who_is_asked_says_that_it_keeps_them(desk: TestDesk, tmp_path: Path) -> None:
    """The PACS is another Nightread, which commits on the association on which it is asked."""
    theirs = Settings(
        data_dir=tmp_path / "theirs",
        dicom_port=free_port(),
        worklist_port=0,
        minimum_free_gigabytes=0,
    )
    archive = Installation(theirs)
    archive.start("listen")
    try:
        wait_until(archive.listens, 30, "the other one listens")
        uid = file_results(desk, 25)
        to = destination(theirs.dicom_port, ae_title="NIGHTREAD", commitment=True)
        carrier = Rig(desk, to)
        carrier.plan()
        assert carrier.deliver(to) == 1
    finally:
        archive.stop()
    objects = delivery(desk, uid).objects
    assert len(objects) == 7
    assert all(each.committed_at is not None for each in objects)


def test_two_couriers_share_the_work(records: Records) -> None:
    """On PostgreSQL and SQLite: what one has taken is not the other's until its lease is over."""
    for number in range(2):
        file_study(records, f"1.2.{number}", Prediction(0.9))
    with records.begin() as session:
        for changed in changed_studies(session, NOW):
            plan(session, changed, ["pacs"], NOW)

    def take(at: dt.datetime) -> int | None:
        with records.begin() as session:
            taken = take_due(session, "pacs", at, dt.timedelta(minutes=5))
        return taken.row if taken else None

    first, second = take(NOW), take(NOW)
    assert first != second
    assert None not in (first, second)
    assert take(NOW) is None
    assert take(NOW + dt.timedelta(minutes=6)) == first


def test_who_plans_and_who_changes_a_study_do_not_wait_for_each_other(records: Records) -> None:
    file_study(records, "1.2", Prediction(0.9))
    with records.read() as session:
        (changed,) = changed_studies(session, NOW)
    planned: list[bool] = []

    def plan_it() -> None:
        with records.begin() as session:
            planned.append(plan(session, changed, ["pacs"], NOW))

    with records.begin() as session:
        session.execute(select(StudyRow.id).where(StudyRow.id == changed.row).with_for_update())
        thread = threading.Thread(target=plan_it)
        thread.start()
        time.sleep(0.5)
        note_change(session, changed.row, NOW + dt.timedelta(seconds=1))
    thread.join(20)
    assert planned == [False], "what is newer is planned next time"


def test_pauses_grow_up_to_half_an_hour() -> None:
    pauses = [pause_after(attempts).total_seconds() for attempts in (1, 2, 3, 7, 8, 1000)]
    assert pauses == [30, 60, 120, 1800, 1800, 1800]


ONE = "[[destination]]\nname='a'\nae_title='A'\nhost='h'\nport=1\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[[destination]]\nname='a'\n", "destination a: ae_title, host and port are needed"),
        (ONE.replace("port=1", "port=0"), "port"),
        (f"{ONE}stow_url='https://a/b'\n", "there is no ae_title"),
        ("[[destination]]\nname='a'\nstow_url='http://a/b'\n", "https"),
        (ONE.replace("'A'", "'\\\\'"), "AE title"),
        (
            f"{ONE}odd=1\n",
            "destination a, odd: there is no such key here; known are .*name, ae_title",
        ),
        (f"{ONE}objects=['pdf']\n", "destination a, objects: "),
        (f"{ONE}objects=[]\n", "at least 1"),
        (f"{ONE}verdicts=[]\n", "at least 1"),
        (f"{ONE}verdicts='clear'\n", "write a list"),
        (f"{ONE}senders=['MUCH_TOO_LONG_TITLE']\n", "at most 16"),
        (ONE.replace("[[destination]]", "[destination]"), r"two brackets"),
        (ONE.replace("name='a'", "name='a b'"), "destination a b, name"),
        ("[[destinations]]\n", "destinations: there is no such key here; known are destination, w"),
        ("", "names nobody"),
        (ONE.replace("'h'", "'a..b'"), "is no name of a host"),
        (f"port = {'9' * 5000}\n", "no TOML"),
        (f"{ONE}tls=true\ntls_authorities='''/x\u0001y'''\n", "no TOML"),
        (f'{ONE}tls=true\ntls_authorities="/x\\u0000y"\n', "certificate"),
        (f"{ONE}verdicts=['waiting']\n", "waits"),
        (2 * ONE, "name of its own"),
        (f"{ONE}tls=true\ntls_authorities='/nowhere'\n", "certificate"),
        ("no toml", "no TOML"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, content: str, why: str) -> None:
    file = tmp_path / "destinations.toml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=why):
        read_destinations(file, "NIGHTREAD")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_destinations(tmp_path / "none.toml", "NIGHTREAD")


def test_the_console_lists_deliveries_and_sends_them_again(tmp_path: Path) -> None:
    file = tmp_path / "destinations.toml"
    file.write_text(ONE)
    assert nightread("migrate", cwd=tmp_path).returncode == 0
    desk = TestDesk(Settings(data_dir=tmp_path / "nightread-data", minimum_free_gigabytes=0))
    uid = file_results(desk, 26)
    away = destination(free_port(), name="a", give_up_days=1e-9)
    rig = Rig(desk, away)
    rig.plan()
    rig.deliver(away)
    desk.close()
    listed = nightread("deliveries", cwd=tmp_path)
    assert f"{uid} to a: dead" in listed.stdout
    assert "nobody answers" in listed.stdout
    assert "a: 1 dead" in listed.stderr
    (given_up,) = json.loads(nightread("deliveries", "--json", cwd=tmp_path).stdout)
    assert (given_up["state"], given_up["study_instance_uid"]) == ("dead", uid)
    told = {"destinations_file": file}
    again = nightread("resend", uid, cwd=tmp_path, **told)
    assert f"{uid} is due now at a" in again.stderr, again.stderr
    wrong = nightread("resend", uid, "--destination", "b", cwd=tmp_path, **told)
    assert (wrong.returncode, "no destination b" in wrong.stderr) == (1, True)
    file.write_text(ONE + "verdicts=['clear']\n")
    unwanted = nightread("resend", uid, cwd=tmp_path, **told)
    assert "no destination: none wants it" in unwanted.stderr
    stranger = nightread("resend", "1.2.3", cwd=tmp_path, **told)
    assert (stranger.returncode, "was received" in stranger.stderr) == (1, True)
    nobody = nightread("deliver", cwd=tmp_path)
    assert (nobody.returncode, "nobody to deliver to" in nobody.stderr) == (2, True)


def test_a_study_of_two_patients_is_not_told_to_anybody(desk: TestDesk) -> None:
    first, second = small_study(27, 2)
    second.PatientName, second.PatientID = "SOMEBODY^ELSE", "OTHER"
    uid = desk.file(first, Prediction(0.9), heat())
    desk.file(second, Prediction(0.9), heat())
    to = destination(free_port())
    rig = Rig(desk, to)
    rig.plan()
    rig.deliver(to)
    found = delivery(desk, uid)
    assert (found.state, found.objects) == (DeliveryState.DEAD, ())
    assert "name 2 patients" in (found.last_error or "")


def test_who_was_told_of_a_verdict_is_told_when_it_is_another(desk: TestDesk) -> None:
    first, second = small_study(28, 2)
    uid = desk.file(first, Prediction(0.3), heat())
    with receiver(STORED) as peer:
        to = destination(peer.port, ae_title="ARCHIVE", verdicts=["doubtful"], objects=["report"])
        rig = Rig(desk, to)
        rig.plan()
        assert rig.deliver(to) == 1
        desk.file(second, Prediction(0.99), heat())
        rig.plan()
        assert rig.deliver(to) == 1
    assert len(delivery(desk, uid).objects) == 2


def test_a_peer_that_takes_nothing_of_it_is_given_up_at_once(desk: TestDesk) -> None:
    uid = file_results(desk, 29)
    with receiver({SecondaryCaptureImageStorage: [ExplicitVRLittleEndian]}) as peer:
        to = destination(peer.port, ae_title="ARCHIVE", objects=["report"])
        rig = Rig(desk, to)
        rig.plan()
        rig.deliver(to)
    assert delivery(desk, uid).state is DeliveryState.DEAD


def test_what_a_peer_says_of_a_patient_is_kept_nowhere(desk: TestDesk) -> None:
    def refuse(_: object) -> Dataset:
        answer = Dataset()
        answer.Status, answer.ErrorComment = 0xA700, "no room for DOE^JOHN"
        return answer

    uid = file_results(desk, 30)
    with receiver(STORED, answer=refuse) as peer:
        to = destination(peer.port, ae_title="ARCHIVE")
        rig = Rig(desk, to)
        rig.plan()
        rig.deliver(to)
    error = delivery(desk, uid).last_error or ""
    assert "0xA700" in error
    assert "DOE" not in error


def test_a_picture_that_cannot_be_drawn_is_listed_and_all_else_arrives(desk: TestDesk) -> None:
    first, second, third = small_study(41, 3)
    uid = desk.file(first, Prediction(0.9), heat())
    desk.file(second, Prediction(0.9), heat())
    desk.file(third, Prediction(0.01), heat())
    swapped = desk.path_of(str(first.SOPInstanceUID))
    swapped.write_bytes(desk.path_of(str(second.SOPInstanceUID)).read_bytes())
    desk.path_of(str(third.SOPInstanceUID)).unlink()
    with receiver(STORED) as peer:
        to = destination(peer.port, ae_title="ARCHIVE")
        rig = Rig(desk, to)
        rig.plan()
        rig.deliver(to)
    found = delivery(desk, uid)
    assert found.state is DeliveryState.DEAD
    assert found.last_error == (
        f"capture of image {first.SOPInstanceUID} not made: "
        "its file is not what came: restore the archive"
    )
    kinds = [each.kind for each in found.objects]
    assert sorted(kinds) == ["capture", "key_images", "outline", "outline", "report", "summary"]


def test_a_study_whose_files_are_all_gone_waits_for_them(desk: TestDesk) -> None:
    (ds,) = small_study(42, 1)
    uid = desk.file(ds, Prediction(0.9), heat())
    path = desk.path_of(str(ds.SOPInstanceUID))
    kept = path.read_bytes()
    path.unlink()
    with receiver(STORED) as peer:
        to = destination(peer.port, ae_title="ARCHIVE")
        rig = Rig(desk, to)
        rig.plan()
        assert rig.deliver(to) == 0
        assert "restore it" in (delivery(desk, uid).last_error or "")
        path.write_bytes(kept)
        assert rig.deliver(to) == 1
    assert len(delivery(desk, uid).objects) == 5


def test_what_a_killed_courier_left_is_removed_and_what_another_needs_is_not(
    tmp_path: Path,
) -> None:
    outgoing = tmp_path / "outgoing"
    with outgoing_folder(outgoing) as first:
        (first / "patient.dcm").touch()
        left = outgoing / "delivery-left"
        left.mkdir()
        (left / "patient.dcm").touch()
        with outgoing_folder(outgoing) as second:
            assert sorted(outgoing.iterdir()) == sorted([first, second])
            assert (first / "patient.dcm").exists()
    assert list(outgoing.iterdir()) == []
    assert outgoing.stat().st_mode & 0o077 == 0, "it is its owner's alone"


def test_what_a_pacs_took_and_does_not_keep_goes_again(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = file_results(desk, 43)
    asked: list[int] = []

    def answer(_: Peer, references: Sequence[Reference], *__: object) -> Commitment:
        asked.append(len(references))
        uids = [each.sop_instance_uid for each in references]
        lost = uids[:2] if len(asked) == 1 else []
        return Commitment(frozenset(uids) - set(lost), dict.fromkeys(lost, 0x0112))

    monkeypatch.setattr("pacs.storage.request_commitment", answer)
    with receiver(STORED) as peer:
        to = destination(peer.port, ae_title="ARCHIVE", commitment=True)
        rig = Rig(desk, to)
        rig.plan()
        assert rig.deliver(to) == 0
        found = delivery(desk, uid)
        assert found.state is DeliveryState.DUE
        assert found.last_error == "it took 2 objects and does not keep them: 0x0112"
        assert rig.deliver(to) == 1
        assert len(peer.came) == 9
    assert asked == [7, 2]
    assert all(each.committed_at for each in delivery(desk, uid).objects)


def test_a_courier_that_was_away_for_weeks_brings_what_it_owes(desk: TestDesk) -> None:
    to = destination(free_port())
    file_results(desk, 44)
    rig = Rig(desk, to)
    assert rig.plan() == 1
    desk.now -= dt.timedelta(days=30)
    uid = file_results(desk, 45)
    assert rig.plan() == 1
    assert delivery(desk, uid).state is DeliveryState.DUE


def test_what_is_due_to_nobody_is_said_and_one_can_hasten_what_is_due(desk: TestDesk) -> None:
    uid = file_results(desk, 46)
    away = destination(free_port())
    rig = Rig(desk, away)
    rig.plan()
    rig.deliver(away)
    other = Rig(desk, destination(free_port(), name="other"))
    other.courier.stop()
    other.courier.run()
    found = delivery(desk, uid)
    assert found.state is DeliveryState.DUE
    assert found.last_error == "no destination of this name is in the file any more"
    with desk.records.begin() as session:
        assert count_strangers(session, ["other"]) == 1
        assert hasten(session, ["other"], desk.now) == 0
        assert hasten(session, ["pacs"], desk.now) == 1
    assert delivery(desk, uid).attempts == 0


def test_the_courier_takes_up_a_file_that_has_changed(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path / "data",
        minimum_free_gigabytes=0,
        destinations_file=tmp_path / "destinations.toml",
        delivery_quiet_seconds=0,
    )
    file = tmp_path / "destinations.toml"
    file.write_text(ONE)
    courier = Installation(settings)
    desk = TestDesk(settings)
    courier.start("deliver")
    try:
        wait_until(lambda: "courier_ready" in courier.log("deliver"), 60, "it is ready")
        file.write_text("[[destination]]")
        wait_until(lambda: "file_not_taken" in courier.log("deliver"), 30, "it is refused")
        with receiver(STORED) as peer:
            file.write_text(
                "[[destination]]\nname='b'\nae_title='ARCHIVE'\nhost='127.0.0.1'\n"
                f"port={peer.port}\n"
            )
            wait_until(lambda: "file_read_again" in courier.log("deliver"), 30, "it is taken")
            uid = file_results(desk, 47)
            wait_until(lambda: len(peer.came) == 7, 60, "the results arrive", peer.came.copy)
            wait_until(lambda: '"delivered"' in courier.log("deliver"), 30, "it is said")
        with desk.records.read() as session:
            assert [each.destination for each in deliveries_of(session, uid)] == ["b"]
    finally:
        courier.stop()
        desk.close()
    assert "courier_stopped" in courier.log("deliver")


def test_the_doctor_asks_each_destination_and_counts_what_did_not_arrive(tmp_path: Path) -> None:
    folder = tmp_path / "nightread-data"
    assert nightread("migrate", cwd=tmp_path).returncode == 0
    desk = TestDesk(Settings(data_dir=folder, minimum_free_gigabytes=0))
    desk.now -= dt.timedelta(hours=1)
    file_results(desk, 48)
    away = destination(free_port(), name="gone")
    rig = Rig(desk, away)
    rig.plan()
    file_results(desk, 49)
    desk.close()
    file = tmp_path / "destinations.toml"
    secret = "of 16 characters and more"
    with receiver({SecondaryCaptureImageStorage: [ExplicitVRLittleEndian]}) as peer:
        file.write_text(
            ONE.replace("'h'", "'127.0.0.1'").replace("port=1", f"port={free_port()}")
            + "[[destination]]\nname='limited'\nae_title='ARCHIVE'\nhost='127.0.0.1'\n"
            f"port={peer.port}\n"
            f"[[webhook]]\nname='pager'\nurl='http://127.0.0.1:{free_port()}'\nsecret='{secret}'\n"
        )
        ran = nightread("doctor", "--json", cwd=tmp_path, destinations_file=file)
    said = {(each["subject"], each["level"]): each["detail"] for each in json.loads(ran.stdout)}
    assert "nobody answers" in said["destination a", "FAIL"]
    assert "takes no Comprehensive 3D SR" in said["destination limited", "FAIL"]
    assert "nobody answers" in said["destination pager", "FAIL"]
    details = [each["detail"] for each in json.loads(ran.stdout) if each["subject"] == "deliveries"]
    assert any("1 studies are to be told" in each for each in details), details
    assert any("not in the file any more" in each for each in details), details


@contextmanager
def mute_peer(answer: bytes = b"") -> Iterator[int]:
    """Run somebody who takes connections, says so much and never reads again; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lines: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line, _ = server.accept()
                    lines.append(line)
                    line.recv(65536)
                    line.sendall(answer)

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for line in lines:
            line.close()
        thread.join(10)


def test_one_that_freezes_in_mid_message_is_cut_and_ends_nothing_else(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs.peer._SILENCE_SECONDS", 1.0)
    file_results(desk, 50)
    # Of an A-ASSOCIATE-AC, PS3.8 9.3.3, the type and a length, and then nothing.
    with mute_peer(bytes([2, 0, 0, 0, 1, 0])) as port, dropped_sockets():
        frozen = destination(port)
        rig = Rig(desk, frozen)
        rig.plan()
        began = time.monotonic()
        assert rig.deliver(frozen) == 0
    assert time.monotonic() - began < 30


def test_a_courier_that_is_stopped_cuts_what_does_not_answer(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs.courier._DRAIN_SECONDS", 0.5)
    uid = file_results(desk, 51)
    asked = threading.Event()

    def never(_: object) -> int:
        asked.set()
        time.sleep(20)
        return 0

    with receiver(STORED, answer=never) as peer, dropped_sockets():
        rig = Rig(desk, destination(peer.port, ae_title="ARCHIVE"))
        thread = threading.Thread(target=rig.courier.run, args=(0.1,))
        thread.start()
        assert asked.wait(30)
        began = time.monotonic()
        rig.courier.stop()
        thread.join(30)
        assert time.monotonic() - began < 15
        assert not thread.is_alive()
    assert delivery(desk, uid).objects == ()


def test_who_answers_no_image_is_not_asked_for_each_of_them(desk: TestDesk, tmp_path: Path) -> None:
    def leave(event: Event) -> int:
        event.assoc.abort()
        return 0

    uid = file_flagged(desk, 52, images=10)
    with receiver(STORED, answer=leave) as peer, dropped_sockets():
        to = destination(peer.port, ae_title="ARCHIVE")
        rig = Rig(desk, to)
        rig.plan()
        rig.deliver(to)
        assert peer.associations == 2
    assert "broke before an answer" in (delivery(desk, uid).last_error or "")


def test_what_has_arrived_is_noted_as_it_does(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs.storage._NOTED_EVERY_SECONDS", 0.0)
    uid = file_results(desk, 53)
    noted: list[int] = []

    def count(_: object) -> int:
        noted.append(len(delivery(desk, uid).objects))
        return 0

    with receiver(STORED, answer=count) as peer:
        to = destination(peer.port, ae_title="ARCHIVE")
        rig = Rig(desk, to)
        rig.plan()
        assert rig.deliver(to) == 1
    assert noted == list(range(7)), "a courier that is killed sends again the last one alone"


def test_a_study_of_which_nothing_can_be_referred_to_gets_what_can_be_made(
    desk: TestDesk,
) -> None:
    (ds,) = small_study(54, 1)
    del ds.SeriesInstanceUID
    ds.add_new(0x00400275, "LO", "no sequence")
    uid = desk.file(ds, Prediction(0.9), heat())
    with receiver(STORED) as peer:
        to = destination(peer.port, ae_title="ARCHIVE")
        rig = Rig(desk, to)
        rig.plan()
        rig.deliver(to)
    found = delivery(desk, uid)
    assert found.state is DeliveryState.DELIVERED, found.last_error
    assert sorted(each.kind for each in found.objects) == ["capture", "summary"]


def failed(reason: int, uids: Sequence[str]) -> bytes:
    """Return what a STOW-RS server says of instances that it did not store."""
    answer = Dataset()
    answer.FailedSOPSequence = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPInstanceUID, item.FailureReason = uid, reason
        answer.FailedSOPSequence.append(item)
    return answer.to_json().encode()


def test_a_dicomweb_server_that_refuses_all_is_understood(desk: TestDesk) -> None:
    uid = file_results(desk, 55)
    (report,) = make_objects(screened(desk, uid), [Kind.REPORT])
    for reason, state in ((0x0122, DeliveryState.DEAD), (0x0111, DeliveryState.DELIVERED)):
        body = failed(reason, [report.sop_instance_uid])
        with web_peer(always(409, body)) as peer:
            to = Destination(name="pacs", stow_url=peer.url, objects=[Kind.REPORT])
            rig = Rig(desk, to)
            rig.plan()
            rig.deliver(to)
        assert delivery(desk, uid).state is state, delivery(desk, uid).last_error
        with desk.records.begin() as session:
            resend(session, uid, ["pacs"], desk.now)


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (307, b"", "answers 307: it is elsewhere"),
        (200, b"x" * 11_000_000, "does not end"),
        (200, b"[]", "none of STOW-RS"),
        (409, b"no json", "none of STOW-RS"),
    ],
)
def test_what_a_dicomweb_server_may_not_do(
    desk: TestDesk, status: int, body: bytes, why: str
) -> None:
    uid = file_results(desk, 56)
    with (
        web_peer(always(200, b"{}")) as elsewhere,
        web_peer(always(status, body), elsewhere.url) as peer,
    ):
        to = Destination(name="pacs", stow_url=peer.url, objects=[Kind.REPORT])
        rig = Rig(desk, to)
        rig.plan()
        assert rig.deliver(to) == 0
    assert elsewhere.asked == [], "nothing goes where nobody said"
    assert why in (delivery(desk, uid).last_error or "")
