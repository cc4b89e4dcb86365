"""Who is champion: what an act changes, what it leaves, and who may not do it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading

import pytest
from filed_cases import NOW, SCORER, file_study
from sqlalchemy import select

from screening.domain.account import Actor, Role
from screening.domain.appointment import Act, Appointed, Judge, Standing
from screening.domain.prediction import ModelIdentity, Prediction
from screening.domain.reason import Exclusion, Reason
from screening.domain.verdict import OperatingPoints, Verdict
from screening.errors import AppointmentChangedError, AppointmentError
from screening.records import audit
from screening.records.appointments import append_act, find_appointed, read_acts
from screening.records.dossier import Dossier, open_dossier
from screening.records.engine import Records
from screening.records.known_models import count_scored, find_models, first_score, read_standing
from screening.records.located import hottest_image
from screening.records.operating_points import read_points, set_points
from screening.records.pairs import read_pairs
from screening.records.promotion import (
    LEAST_SCORED,
    Order,
    appoint_shadow,
    choose_model,
    promote,
    roll_back,
)
from screening.records.results import Result, Scorer, record_results
from screening.records.schema import InstanceRow
from screening.records.shadow import record_shadow

ADA = Actor("ada", Role.ADMIN, "10.0.0.1")
OLD = Judge(SCORER.identity, SCORER.points)
NEW = Judge(ModelIdentity("densenet", "1.0.0", "b" * 64), OperatingPoints(0.4, 0.8))
THIRD = Judge(ModelIdentity("resnet18", "3.0.0", "c" * 64), OperatingPoints(0.1, 0.5))


def scorer(judge: Judge) -> Scorer:
    return Scorer(judge.identity, judge.points)


def shadow_scores(
    records: Records, judge: Judge, *said: Result, seconds: float | None = None
) -> None:
    """Have a shadow score the newest images, one for each result."""
    with records.begin() as session:
        rows = session.scalars(select(InstanceRow.id).order_by(InstanceRow.id.desc()))
        results = dict(zip(sorted(rows.all()[: len(said)]), said, strict=True))
        record_shadow(session, results, scorer(judge), NOW, seconds)


@pytest.fixture
def running(records: Records) -> Records:
    """An installation with a champion that has scored, and a shadow of settings beside it."""
    file_study(records, "1.1", Prediction(0.9), Prediction(0.3))
    shadow_scores(records, NEW, Prediction(0.7), Prediction(0.2))
    return records


def order(seen: int | None = None, *, anyway: bool = True, why: str = "fewer flags") -> Order:
    return Order(ADA, why, NOW, seen, anyway)


def act(records: Records, model: Judge | None = NEW, **options: object) -> tuple[Standing, bool]:
    with records.begin() as session:
        assert model is not None
        return promote(session, model, order(**options))  # type: ignore[arg-type]


def back(records: Records, seen: int | None = None) -> Standing:
    with records.begin() as session:
        return roll_back(session, order(seen))


def standing(records: Records) -> Standing:
    with records.read() as session:
        return read_standing(session)


def names(found: Standing) -> tuple[str | None, str | None]:
    return (
        found.champion.identity.name if found.champion else None,
        found.shadow.identity.name if found.shadow else None,
    )


def entries(records: Records) -> list[tuple[str, str, str]]:
    with records.read() as session:
        return [(e.event, e.actor, e.detail) for e in audit.read_audit(session)]


def test_before_the_first_act_the_settings_decide(running: Records) -> None:
    with running.read() as session:
        assert find_appointed(session) == Appointed()
    found = standing(running)
    assert (found.number, names(found)) == (0, ("mobilenet_v2", "densenet"))


def test_a_promotion_swaps_champion_and_shadow_with_one_entry_of_the_audit(
    running: Records,
) -> None:
    made, changed = act(running, seen=0)
    assert changed
    assert (made.number, made.act, made.champion, made.shadow) == (2, Act.PROMOTION, NEW, OLD)
    with running.read() as session:
        assert find_appointed(session) == Appointed(NEW.identity, OLD.identity)
        first = read_acts(session)[-1]
    assert (first.act, first.by, names(first)) == (
        Act.BEGINNING,
        "the settings",
        ("mobilenet_v2", "densenet"),
    )
    ((event, actor, detail),) = entries(running)
    assert (event, actor) == ("model_promoted", "ada")
    assert "champion mobilenet_v2 0.1.0 (aaaaaaaaaaaa) -> densenet 1.0.0 (bbbbbbbbbbbb)" in detail
    assert detail.endswith("anyway: it has scored 2 images: fewer flags")


def test_a_promotion_touches_no_score_and_no_verdict(running: Records) -> None:
    before = dossier(running, "1.1")
    act(running)
    assert dossier(running, "1.1") == before
    back(running)
    assert dossier(running, "1.1") == before


def test_a_rollback_brings_back_both_and_only_once(running: Records) -> None:
    act(running)
    made = back(running)
    assert (made.act, names(made)) == (Act.ROLLBACK, ("mobilenet_v2", "densenet"))
    with pytest.raises(AppointmentError, match="is back already, since 2026-03-01 22:00 UTC"):
        back(running)
    assert names(standing(running)) == ("mobilenet_v2", "densenet")
    assert [event for event, _, _ in entries(running)] == ["model_rolled_back", "model_promoted"]


def test_a_rollback_leaves_a_shadow_that_came_later(running: Records) -> None:
    act(running)
    with running.begin() as session:
        appoint_shadow(session, THIRD, order())
    assert names(back(running)) == ("mobilenet_v2", "resnet18")


def test_there_is_nothing_to_go_back_to_before_a_promotion(running: Records) -> None:
    with pytest.raises(AppointmentError, match="no model was ever promoted"):
        back(running)
    with running.begin() as session:
        appoint_shadow(session, THIRD, order())
    with pytest.raises(AppointmentError, match="no model was ever promoted"):
        back(running)


def test_a_champion_is_promoted_once_however_often_it_is_asked(running: Records) -> None:
    first, _ = act(running, seen=0)
    again, changed = act(running, seen=0)
    assert not changed
    assert again == first
    assert len(entries(running)) == 1


def test_a_third_model_leaves_the_shadow_and_makes_the_champion_idle(running: Records) -> None:
    made, _ = act(running, THIRD)
    assert names(made) == ("resnet18", "densenet")
    assert names(back(running)) == ("mobilenet_v2", "densenet")


def test_too_few_images_are_refused_and_nothing_is_recorded(running: Records) -> None:
    with pytest.raises(
        AppointmentError, match=f"has scored 2 images here and must.*{LEAST_SCORED}"
    ):
        act(running, anyway=False)
    assert standing(running).number == 0
    assert entries(running) == []


def test_enough_images_need_no_overriding(records: Records) -> None:
    file_study(records, "1.1", *[Prediction(0.1)] * LEAST_SCORED)
    shadow_scores(records, NEW, *[Prediction(0.1)] * LEAST_SCORED)
    act(records, anyway=False)
    assert "anyway" not in entries(records)[0][2]


def test_images_that_the_shadow_failed_on_do_not_count(records: Records) -> None:
    file_study(records, "1.1", *[Prediction(0.1)] * LEAST_SCORED)
    failed = Exclusion(Reason.ERROR, "RuntimeError")
    shadow_scores(records, NEW, failed, *[Prediction(0.1)] * (LEAST_SCORED - 1))
    with pytest.raises(AppointmentError, match=f"has scored {LEAST_SCORED - 1} images"):
        act(records, anyway=False)
    with records.read() as session:
        assert count_scored(session, NEW.identity, 50) == 50


@pytest.mark.parametrize("why", ["", "  ", "x" * 501, "a\0b"])
def test_an_act_needs_a_reason(running: Records, why: str) -> None:
    with pytest.raises(AppointmentError, match="say why"):
        act(running, why=why)


def test_nothing_can_be_promoted_before_the_first_score(records: Records) -> None:
    with pytest.raises(AppointmentError, match="NIGHTREAD_MODEL"):
        act(records)
    assert standing(records) == Standing()


def test_a_model_that_nobody_knows_is_named(running: Records) -> None:
    with running.begin() as session:
        with pytest.raises(AppointmentError, match="no model vgg16 has scored here"):
            choose_model(session, "vgg16")
        with pytest.raises(AppointmentError, match=r"no model densenet 2\.0 has scored here"):
            choose_model(session, "densenet", "2.0")
        assert choose_model(session, "densenet") == NEW


def test_two_versions_must_be_told_apart(running: Records) -> None:
    other = Judge(dataclasses.replace(NEW.identity, version="1.1.0"), NEW.points)
    shadow_scores(running, other, Prediction(0.5))
    with running.begin() as session:
        with pytest.raises(AppointmentError, match=r"say which version, 1\.0\.0, 1\.1\.0"):
            choose_model(session, "densenet")
        assert choose_model(session, "densenet", "1.1.0") == other


def test_a_version_that_others_weights_scored_under_is_refused(running: Records) -> None:
    """Scores are kept by name and version: the new weights' would be taken for the old ones'."""
    altered = Judge(dataclasses.replace(NEW.identity, digest="d" * 64), NEW.points)
    with pytest.raises(AppointmentError, match="give this bundle a version of its own"):
        act(running, altered)
    with running.begin() as session, pytest.raises(AppointmentError, match="of its own"):
        appoint_shadow(session, altered, order())


def test_who_looked_before_somebody_else_acted_is_refused(running: Records) -> None:
    act(running, seen=0)
    with pytest.raises(AppointmentChangedError, match=r"densenet 1\.0\.0 is champion by now"):
        act(running, THIRD, seen=0)
    with pytest.raises(AppointmentChangedError):
        back(running, seen=0)
    assert names(standing(running)) == ("densenet", "mobilenet_v2")


def test_of_two_who_promote_at_once_one_wins_and_the_other_is_told(running: Records) -> None:
    start, outcomes = threading.Barrier(2), []

    def try_it(model: Judge) -> None:
        start.wait()
        try:
            outcomes.append(act(running, model, seen=0)[0])
        except AppointmentChangedError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=try_it, args=(each,)) for each in (NEW, THIRD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    refused = [each for each in outcomes if isinstance(each, AppointmentChangedError)]
    (won,) = [each for each in outcomes if isinstance(each, Standing)]
    assert len(refused) == 1
    assert names(standing(running)) == names(won)
    assert len(entries(running)) == 1
    with running.read() as session:
        assert audit.verify(session).is_whole


def test_an_act_follows_the_one_that_was_looked_at_and_no_other(running: Records) -> None:
    """On PostgreSQL another may commit between the look and the act."""
    act(running)
    told = {"at": NOW, "by": "ada", "why": "late"}
    with pytest.raises(AppointmentChangedError, match="has just"), running.begin() as session:
        append_act(session, 2, Act.PROMOTION, (THIRD, OLD), **told)  # type: ignore[arg-type]
    assert names(standing(running)) == ("densenet", "mobilenet_v2")


def test_a_shadow_is_appointed_and_taken_away(running: Records) -> None:
    with running.begin() as session:
        assert appoint_shadow(session, THIRD, order())[1]
        assert not appoint_shadow(session, THIRD, order())[1]
        assert find_appointed(session) == Appointed(OLD.identity, THIRD.identity)
        with pytest.raises(AppointmentError, match="its own shadow"):
            appoint_shadow(session, OLD, order())
        appoint_shadow(session, None, order())
        assert find_appointed(session) == Appointed(OLD.identity, None)
    assert [event for event, _, _ in entries(running)] == ["shadow_appointed"] * 2


def test_points_are_set_for_the_champion_before_it_has_scored(running: Records) -> None:
    act(running)
    with running.read() as session:
        found = read_points(session)
    assert found is not None
    assert (found.model, found.in_force.points) == (NEW.identity, NEW.points)
    with running.begin() as session:
        set_points(session, OperatingPoints(0.5, 0.9), note="here", set_by="ada", now=NOW)
        assert read_standing(session).champion == Judge(NEW.identity, OperatingPoints(0.5, 0.9))
        assert find_models(session, "densenet")[0].points == OperatingPoints(0.5, 0.9)
    made = back(running)
    assert made.champion == OLD
    assert made.shadow == Judge(NEW.identity, OperatingPoints(0.5, 0.9))


def test_pairs_are_found_whichever_was_champion(running: Records) -> None:
    act(running)
    file_study(running, "1.2", Prediction(0.6), scorer=scorer(NEW), now=NOW + dt.timedelta(hours=1))
    shadow_scores(running, OLD, Prediction(0.1), seconds=0.25)
    file_study(running, "1.3", Prediction(0.6), scorer=scorer(NEW))
    with running.read() as session:
        found = read_pairs(session, NEW.identity, OLD.identity, 10)
        assert len(read_pairs(session, NEW.identity, OLD.identity, 2)) == 2
        assert first_score(session, NEW.identity) == NOW
    assert [(each.study_instance_uid, each.champion, each.shadow) for each in found] == [
        ("1.2", 0.6, 0.1),
        ("1.1", 0.2, 0.3),
        ("1.1", 0.7, 0.9),
    ]
    assert (found[0].champion_seconds, found[0].shadow_seconds) == (None, 0.25)


def test_a_study_of_two_champions_is_as_urgent_as_its_most_urgent_image(records: Records) -> None:
    """The score that is shown is that image's, though the other model gave a higher one."""
    file_study(records, "1.1", Prediction(0.62), None)
    with records.begin() as session:
        row = session.scalars(select(InstanceRow.id).where(InstanceRow.state == "waiting")).one()
        # Clear by the points of the second champion, and more than the first's.
        strict = Scorer(NEW.identity, OperatingPoints(0.8, 0.9))
        record_results(session, 1, {row: Prediction(0.7)}, strict, NOW)
        hottest = hottest_image(session, "1.1")
        first = session.scalar(select(InstanceRow.digest).where(InstanceRow.id != row))
    found = dossier(records, "1.1")
    assert (found.case.verdict, found.case.score) == (Verdict.SUSPECTED, 0.62)
    assert (found.revisions[-1].model, found.case.model) == ("mobilenet_v2", "mobilenet_v2")
    assert [image.scores[0].model for image in found.images] == ["mobilenet_v2", "densenet"]
    assert hottest is not None
    assert hottest.digest == first


def dossier(records: Records, uid: str) -> Dossier:
    with records.read() as session:
        found = open_dossier(session, uid)
    assert found is not None
    return found
