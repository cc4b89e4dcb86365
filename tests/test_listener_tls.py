"""DICOM over TLS: which versions and certificates are let in, and that the others are on record."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import warnings
from dataclasses import dataclass

import pytest
from certificates import Certificate, authority, signed_by
from conftest import free_port, wait_until
from raw_peer import (
    ABORT,
    EXPLICIT_LITTLE,
    P_DATA,
    RADIOGRAPH,
    RawPeer,
    associate_request,
    image,
    pdu,
)
from test_listener_store import Door, a_door, associations

from screening.settings import Settings

CONTEXTS = {1: (RADIOGRAPH, [EXPLICIT_LITTLE])}
ABORT_IN_CLEAR = bytes((ABORT, 0, 0, 0, 0, 4))


@dataclass(frozen=True)
class Certificates:
    ours: Certificate
    known: Certificate
    """Of the authority that the listener trusts."""
    sender: Certificate
    expired: Certificate
    foreign: Certificate
    """Of an authority that the listener does not know."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    known, unknown = authority(folder, "known"), authority(folder, "unknown")
    return Certificates(
        signed_by(known, "ours"),
        known,
        signed_by(known, "sender"),
        signed_by(known, "expired", days=-1),
        signed_by(unknown, "foreign"),
    )


@pytest.fixture
def secured(settings: Settings, certificates: Certificates) -> Settings:
    """Settings of a listener that takes TLS alone, and from known senders alone."""
    chosen = {
        "dicom_port": 0,
        "tls_port": free_port(),
        "tls_certificate": certificates.ours.path,
        "tls_key": certificates.ours.key,
        "tls_authorities": certificates.known.path,
    }
    return settings.model_copy(update=chosen)


def connect(
    settings: Settings,
    certificate: Certificate | None,
    *versions: ssl.TLSVersion,
) -> RawPeer:
    """Connect as a sender that takes any certificate of ours; of one TLS version if named."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if versions:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            # At its usual level OpenSSL does not even offer the old ones.
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = versions[0]
    if certificate is not None:
        context.load_cert_chain(certificate.path, certificate.key)
    raw = socket.create_connection(("127.0.0.1", settings.tls_port), 10)
    try:
        return RawPeer(0, connection=context.wrap_socket(raw))
    except OSError:
        raw.close()
        raise


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_new_versions_are_taken(
    secured: Settings, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    with a_door(secured) as door, connect(secured, certificates.sender, version) as peer:
        peer.associate()
        assert peer.store("1.2.3", image("1.2.3", side=600)).status == 0x0000
        peer.release()
        wait_until(door.due.is_set, 5, "the association's end is recorded")
        (row,) = associations(door)
        assert (row.outcome, row.stored) == ("released", 1)


def refused(
    door: Door, settings: Settings, certificate: Certificate | None, *versions: ssl.TLSVersion
) -> str:
    """Insist that a sender comes to nothing, and return why by the record."""
    with pytest.raises((OSError, EOFError)), connect(settings, certificate, *versions) as peer:
        peer.associate()
    wait_until(lambda: associations(door), 5, "it is recorded")
    (row,) = associations(door)
    assert row.outcome == "rejected"
    assert row.peer_address == "127.0.0.1"
    assert row.explanation is not None
    return row.explanation


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_versions_are_refused(
    secured: Settings, certificates: Certificates, version: str
) -> None:
    with a_door(secured) as door:
        why = refused(door, secured, certificates.sender, ssl.TLSVersion[version])
        assert "TLS 1.2" in why


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shown", ["none", "expired", "foreign"])
def test_a_sender_whose_certificate_is_no_good_is_refused(
    secured: Settings, certificates: Certificates, shown: str, version: ssl.TLSVersion
) -> None:
    with a_door(secured) as door:
        certificate = None if shown == "none" else getattr(certificates, shown)
        why = refused(door, secured, certificate, version)
        assert "NIGHTREAD_TLS_AUTHORITIES" in why
        assert {"expired": "expired", "none": "no certificate", "foreign": "to be trusted"}[
            shown
        ] in why


def test_without_authorities_anybody_may_connect(
    secured: Settings, certificates: Certificates
) -> None:
    with a_door(secured, tls_authorities=None), connect(secured, None) as peer:
        peer.associate()
        peer.release()


def test_plaintext_on_the_port_for_tls_is_refused(secured: Settings) -> None:
    with a_door(secured) as door, RawPeer(secured.tls_port) as peer:
        peer.say(associate_request(CONTEXTS))
        with pytest.raises((OSError, EOFError)):
            peer.hear()  # an alert, which is no PDU: its length never comes
        wait_until(lambda: associations(door), 5, "it is recorded")
        assert "the sender spoke no TLS" in str(associations(door)[0].explanation)


def test_a_sender_that_does_not_trust_our_certificate_is_told_from_the_others(
    secured: Settings, certificates: Certificates
) -> None:
    context = ssl.create_default_context(cafile=str(certificates.foreign.path))
    context.check_hostname = False
    with a_door(secured, tls_authorities=None) as door:
        with (
            socket.create_connection(("127.0.0.1", secured.tls_port), 10) as raw,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            context.wrap_socket(raw)
        wait_until(lambda: associations(door), 5, "it is recorded")
        assert "the sender refused our certificate" in str(associations(door)[0].explanation)


def test_there_is_no_plain_port_where_it_is_turned_off(secured: Settings) -> None:
    opened: list[tuple[str, int]] = []
    with pytest.MonkeyPatch.context() as patched:
        genuine = socket.socket.bind
        patched.setattr(
            socket.socket, "bind", lambda own, at: opened.append(at) or genuine(own, at)
        )
        with a_door(secured):
            assert {port for _, port in opened} == {secured.tls_port}


def test_who_connects_and_goes_is_not_on_record(
    secured: Settings, certificates: Certificates
) -> None:
    """Whatever watches the port does so, many times a minute."""
    with a_door(secured) as door:
        for _ in range(3):
            with RawPeer(secured.tls_port):
                pass
        with connect(secured, certificates.sender).associate() as peer:
            peer.release()
        wait_until(door.due.is_set, 5, "the association's end is recorded")
        assert len(associations(door)) == 1


def test_both_ports_at_once(secured: Settings, certificates: Certificates) -> None:
    plain = free_port()
    with (
        a_door(secured, dicom_port=plain),
        RawPeer(plain).associate() as open_peer,
        connect(secured, certificates.sender).associate() as secret_peer,
    ):
        assert open_peer.store("1.2.3", image("1.2.3")).status == 0x0000
        assert secret_peer.store("1.2.4", image("1.2.4")).status == 0x0000


def test_a_crowd_that_never_shakes_hands_keeps_nobody_out(
    secured: Settings, certificates: Certificates
) -> None:
    with a_door(secured), contextlib.ExitStack() as crowd:
        before = threading.active_count()
        for _ in range(200):
            crowd.enter_context(RawPeer(secured.tls_port))
        started = time.monotonic()
        with connect(secured, certificates.sender) as peer:
            peer.associate()
            assert time.monotonic() - started < 3
        wait_until(lambda: threading.active_count() < before + 80, 10, "the oldest are let go")


def test_what_is_still_sent_after_an_interruption_is_not_in_clear(
    secured: Settings, certificates: Certificates
) -> None:
    with a_door(secured) as door, connect(secured, certificates.sender) as peer:
        peer.associate()
        peer.say(pdu(P_DATA, b"", 1000))  # in the middle of a message: there is an A-ABORT to send
        door.listener._server.interrupt()
        heard = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := socket.socket.recv(peer.socket, 4096):  # beneath TLS
                heard += piece
        assert ABORT_IN_CLEAR not in heard
