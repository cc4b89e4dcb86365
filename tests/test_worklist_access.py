"""Who is let in at the desk, what they may do, and that it is recorded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from desk import PASSWORD, TestDesk
from sqlalchemy import text

from phantoms.load import small_study
from screening.domain.account import Right, Role
from screening.domain.prediction import Prediction
from screening.errors import AccountError, RecordsError, SettingsError
from screening.records import audit, sign_in, users
from screening.records.engine import Records
from screening.settings import Settings
from screening.web_address import is_loopback
from worklist.serve import require_users


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    yield made
    made.close()


def events(desk: TestDesk) -> list[tuple[str, str]]:
    with desk.records.read() as session:
        return [(entry.actor, entry.event) for entry in reversed(audit.read_audit(session))]


def test_nobody_sees_anything_without_signing_in(desk: TestDesk) -> None:
    client = desk.client()
    for path in ("/", "/lines", "/cases/1.2", "/cases/1.2/reviews", "/audit"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in"), path
    for path in ("cases", "cases.csv", "counts", "studies/1.2", "images/1.2/frame", "ledger"):
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_password_signs_in_and_out(desk: TestDesk) -> None:
    client = desk.signed_in("anna")
    assert client.get("/").status_code == 200
    cookie = client.cookies.get("nightread_session")
    assert client.post("/sign-out").status_code == 303
    client.cookies.set("nightread_session", str(cookie))
    assert client.get("/").status_code == 303, "the session has ended, not the cookie alone"
    assert [event for _, event in events(desk)] == ["signed_in", "listed", "listed", "signed_out"]


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: TestDesk) -> None:
    desk.add_user("anna")
    answer = desk.client().post("/sign-in", data={"name": "anna", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie, "loopback has no HTTPS"


def test_behind_https_the_cookie_goes_over_nothing_else(settings: Settings) -> None:
    desk = TestDesk(settings.model_copy(update={"worklist_behind_https": True}))
    desk.add_user("anna")
    answer = desk.client().post("/sign-in", data={"name": "anna", "password": PASSWORD})
    assert "secure" in answer.headers["set-cookie"].lower()
    desk.close()


@pytest.mark.parametrize(
    ("name", "password"),
    [("anna", "wrong"), ("nobody", PASSWORD), ("anna", ""), ("an\0na", "x"), ("'--", "' OR 1=1")],
)
def test_what_is_not_right_is_refused_alike(desk: TestDesk, name: str, password: str) -> None:
    desk.add_user("anna")
    answer = desk.client().post("/sign-in", data={"name": name, "password": password})
    assert answer.status_code in (401, 422)
    assert "set-cookie" not in answer.headers
    if answer.status_code == 401:
        assert "Name or password is not right" in answer.text


def test_after_five_failures_even_the_right_password_waits(desk: TestDesk) -> None:
    desk.add_user("anna")
    client = desk.client()
    for _ in range(sign_in.MOST_FAILURES_OF_A_NAME):
        wrong = client.post("/sign-in", data={"name": "anna", "password": "wrong"})
        assert wrong.status_code == 401
    right = {"name": "anna", "password": PASSWORD}
    assert client.post("/sign-in", data=right).status_code == 429
    desk.now += sign_in.FAILURES_COUNT_FOR + dt.timedelta(seconds=1)
    assert client.post("/sign-in", data=right).status_code == 303


def test_an_address_that_guesses_names_waits_too(desk: TestDesk) -> None:
    desk.add_user("anna")
    with desk.records.begin() as session:
        for number in range(sign_in.MOST_FAILURES_OF_AN_ADDRESS):
            sign_in.note_failure(session, f"guess{number}", "testclient", desk.now)
    answer = desk.client().post("/sign-in", data={"name": "anna", "password": PASSWORD})
    assert answer.status_code == 429


def test_a_session_ends_when_idle_and_after_a_day(desk: TestDesk) -> None:
    client = desk.signed_in("anna")
    began = desk.now
    for minutes in (20, 40, 60):
        desk.now = began + dt.timedelta(minutes=minutes)
        assert client.get("/").status_code == 200
    desk.now += dt.timedelta(minutes=31)
    assert client.get("/").status_code == 303


def test_a_page_that_renews_itself_keeps_nobody_signed_in(desk: TestDesk) -> None:
    client = desk.signed_in("anna")
    desk.now += dt.timedelta(minutes=20)
    live = client.get("/lines?seen=0.0.0", headers={"X-Live": "yes"})
    assert live.status_code in (200, 204)
    desk.now += dt.timedelta(minutes=20)
    assert client.get("/").status_code == 303


def test_a_link_signs_in_once(desk: TestDesk) -> None:
    secret = desk.link(desk.add_user("anna"))
    client = desk.client()
    assert client.get(f"/sign-in/{secret}").status_code == 303
    assert client.get("/").status_code == 200
    again = desk.client().get(f"/sign-in/{secret}")
    assert again.status_code == 403
    assert "used already" in again.text


def test_a_link_is_soon_too_old(desk: TestDesk) -> None:
    secret = desk.link(desk.add_user("anna"))
    desk.now += dt.timedelta(minutes=6)
    assert desk.client().get(f"/sign-in/{secret}").status_code == 403


def test_a_disabled_user_is_out_at_once(desk: TestDesk) -> None:
    client = desk.signed_in("anna")
    with desk.records.begin() as session:
        users.change_user(session, "anna", desk.now, disabled=True)
    assert client.get("/").status_code == 303
    right = {"name": "anna", "password": PASSWORD}
    assert desk.client().post("/sign-in", data=right).status_code == 401


def test_another_sites_form_is_refused(desk: TestDesk) -> None:
    client = desk.signed_in("anna")
    uid = desk.file(next(small_study(1, 1)), Prediction(0.8))
    del client.headers["X-Form-Secret"]
    for headers in ({}, {"X-Form-Secret": b"guessed"}, {"X-Form-Secret": "é".encode("latin-1")}):
        answer = client.post(
            f"/api/v1/studies/{uid}/reviews", json={"opinion": "agree"}, headers=headers
        )
        assert answer.status_code == 403
    assert client.post("/sign-out", data={"form_secret": "guessed"}).status_code == 403
    cross = {"sec-fetch-site": "cross-site"}
    right = {"name": "anna", "password": PASSWORD}
    assert desk.client().post("/sign-in", data=right, headers=cross).status_code == 403


def test_each_role_does_its_own(desk: TestDesk) -> None:
    uid = desk.file(next(small_study(1, 1)), Prediction(0.8))
    review = f"/api/v1/studies/{uid}/reviews"
    allowed = {Role.VIEWER: (403, 403), Role.RADIOLOGIST: (201, 403), Role.ADMIN: (403, 200)}
    for role, expected in allowed.items():
        client = desk.signed_in(role.value, role)
        written = client.post(review, json={"opinion": "agree"}).status_code
        assert (written, client.get("/audit").status_code) == expected, role
        assert client.get(f"/cases/{uid}").status_code == 200
    assert ("viewer", "refused") in events(desk)
    assert all(role.may(Right.LOOK) for role in Role)


def test_a_token_opens_rest_until_it_is_revoked(desk: TestDesk) -> None:
    from screening.records import tokens

    machine = desk.machine()
    assert machine.get("/api/v1/counts").status_code == 200
    assert ("token:machine", "listed") not in events(desk)
    assert machine.get("/api/v1/cases").status_code == 200
    assert ("token:machine", "listed") in events(desk)
    with desk.records.begin() as session:
        tokens.revoke_token(session, "machine", desk.now)
    assert machine.get("/api/v1/counts").status_code == 401


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer nr_forged", "Basic YTpi", "x" * 9000]
)
def test_a_forged_token_opens_nothing(desk: TestDesk, header: str) -> None:
    answer = desk.client().get("/api/v1/counts", headers={"Authorization": header})
    assert answer.status_code == 401


def test_a_token_that_expired_opens_nothing(desk: TestDesk) -> None:
    from screening.records import tokens

    with desk.records.begin() as session:
        valid = dt.timedelta(days=1)
        secret = tokens.add_token(session, "short", Role.VIEWER, desk.now, valid)
    client = desk.client()
    client.headers["Authorization"] = f"Bearer {secret}"
    assert client.get("/api/v1/counts").status_code == 200
    desk.now += dt.timedelta(days=1, seconds=1)
    assert client.get("/api/v1/counts").status_code == 401


def test_neither_passwords_nor_secrets_are_in_the_records(desk: TestDesk) -> None:
    client = desk.signed_in("anna")
    machine = desk.machine()
    secrets = [
        PASSWORD,
        str(client.cookies.get("nightread_session")),
        machine.headers["Authorization"].removeprefix("Bearer "),
        desk.link(desk.add_user("bert")),
    ]
    with desk.records.read() as session:
        for table in ("users", "web_sessions", "tokens", "sign_in_links", "audit"):
            held = str(session.execute(text(f"SELECT * FROM {table}")).all())
            assert not [secret for secret in secrets if secret in held], table


def test_every_answer_keeps_a_browser_careful(desk: TestDesk) -> None:
    client = desk.signed_in("anna")
    for path in ("/", "/sign-in", "/nowhere", "/api/v1/counts", "/static/desk.css"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/").headers["cache-control"] == "no-store"


def test_beyond_this_machine_it_needs_somebody_with_an_account(
    settings: Settings, records: Records
) -> None:
    public = settings.model_copy(update={"worklist_host": "0.0.0.0"})
    with pytest.raises(SettingsError, match="nightread user add"):
        require_users(public, records)
    with records.begin() as session:
        users.add_user(session, "linked", Role.ADMIN, None, dt.datetime.now(dt.UTC))
    with pytest.raises(SettingsError):
        require_users(public, records)
    with records.begin() as session:
        users.add_user(session, "anna", Role.VIEWER, "hash", dt.datetime.now(dt.UTC))
    require_users(public, records)
    require_users(settings, records)


def test_loopback_is_this_machine_alone() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "nightread.example")))


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb", "taken"])
def test_a_name_that_is_none_or_taken_is_refused(records: Records, name: str) -> None:
    now = dt.datetime.now(dt.UTC)
    with records.begin() as session:
        users.add_user(session, "taken", Role.VIEWER, None, now)
        with pytest.raises(AccountError):
            users.add_user(session, name, Role.VIEWER, None, now)


def test_the_database_refuses_to_change_or_delete_an_entry(records: Records) -> None:
    from screening.domain.account import Actor

    with records.begin() as session:
        actor = Actor("anna", Role.VIEWER, "here")
        audit.note(session, actor, audit.Event.LISTED, dt.datetime.now(dt.UTC))
    for statement in ("UPDATE audit SET actor = 'bert'", "DELETE FROM audit"):
        with pytest.raises(RecordsError, match="only be added"), records.begin() as session:
            session.execute(text(statement))


def test_the_chain_shows_where_it_was_altered(records: Records) -> None:
    from screening.domain.account import Actor

    actor = Actor("anna", Role.VIEWER, "here")
    digests = []
    for number in range(5):
        with records.begin() as session:
            now = dt.datetime.now(dt.UTC)
            audit.note(session, actor, audit.Event.OPENED, now, detail=f"é {number}")
            digests.append(audit.verify(session).digest)
    with records.read() as session:
        assert audit.verify(session) == audit.ChainState(5, digests[-1], None)
        assert audit.holds(session, digests[2])
        assert not audit.holds(session, "0" * 63 + "1")
    around = {
        "sqlite": ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"],
        "postgresql": ["ALTER TABLE audit DISABLE TRIGGER audit_append_only"],
    }[records.engine.dialect.name]
    with records.begin() as session:
        for statement in around:
            session.execute(text(statement))
        session.execute(text("UPDATE audit SET actor = 'bert' WHERE id = 3"))
    with records.read() as session:
        assert audit.verify(session).broken_at == 3
    with records.begin() as session:
        session.execute(text("UPDATE audit SET actor = 'anna' WHERE id = 3"))
        assert audit.verify(session).is_whole
        session.execute(text("DELETE FROM audit WHERE id = 2"))
    with records.read() as session:
        assert audit.verify(session).broken_at == 3


def test_two_who_write_at_once_keep_one_chain(records: Records) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from screening.domain.account import Actor

    def look(number: int) -> None:
        with records.begin() as session:
            actor = Actor(f"reader{number}", Role.VIEWER, "here")
            audit.note(session, actor, audit.Event.OPENED, dt.datetime.now(dt.UTC))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(40)))
    with records.read() as session:
        state = audit.verify(session)
    assert (state.entries, state.is_whole) == (40, True)


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        ("/cases/1.2.3?verdict=clear", "/cases/1.2.3?verdict=clear"),
        ("/statistics", "/statistics"),
        ("/audit", "/"),
        ("/cases/%2F%2Felsewhere", "/"),
        ("/cases/1.2//elsewhere", "/"),
    ],
)
def test_who_asked_for_a_page_gets_it_after_signing_in(
    desk: TestDesk, asked: str, way: str
) -> None:
    desk.add_user("anna")
    client = desk.client()
    assert client.get(asked).headers.get("location") in ("/sign-in", None)
    answer = client.post("/sign-in", data={"name": "anna", "password": PASSWORD})
    assert answer.headers["location"] == way
    answer = client.post("/sign-in", data={"name": "anna", "password": PASSWORD})
    assert answer.headers["location"] == "/", "once"


def test_a_way_that_somebody_else_set_is_not_taken(desk: TestDesk) -> None:
    desk.add_user("anna")
    for way in (
        "https://elsewhere",
        "//elsewhere",
        "/cases/%0d%0aX: y",
        "/cases/\\\\elsewhere",
        "x",
    ):
        client = desk.client(cookies={"nightread_way": way})
        answer = client.post("/sign-in", data={"name": "anna", "password": PASSWORD})
        assert answer.headers["location"] == "/", way
