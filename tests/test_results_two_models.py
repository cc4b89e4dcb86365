"""A study of which two champions have scored an image each: who is named in its report."""

from __future__ import annotations

from desk import SCORER, TestDesk
from pydicom.dataset import Dataset
from result_studies import heat, make_objects, screened
from test_results_objects import groups

from pacs.results.identity import Kind
from phantoms.load import small_study
from screening.domain.prediction import ModelIdentity, Prediction
from screening.domain.verdict import OperatingPoints, Verdict
from screening.records.results import Scorer
from screening.settings import Settings

# Of DCM: Algorithm Name and Algorithm Version, PS3.16 TID 4019.
_NAME, _VERSION = "111001", "111003"
LATER = Scorer(ModelIdentity("densenet", "2.0.0", "c" * 64), OperatingPoints(0.8, 0.9))


def algorithm(group: Dataset) -> tuple[str, str]:
    told = {
        item.ConceptNameCodeSequence[0].get("CodeValue"): item.get("TextValue")
        for item in group.ContentSequence
    }
    return told[_NAME], told[_VERSION]


def test_each_score_names_its_model_and_the_study_that_of_the_score_that_decides(
    settings: Settings,
) -> None:
    """The settings name neither: `NIGHTREAD_MODEL` is the shipped one's name all the while."""
    desk = TestDesk(settings)
    first, second = small_study(1, 2)
    uid = desk.file(first, Prediction(0.62), heat())
    # Higher, and clear by the points of the model that came later.
    desk.file(second, Prediction(0.7), scorer=LATER)
    study = screened(desk, uid)
    assert study.verdict is Verdict.SUSPECTED
    assert study.dossier.case.score == 0.62
    (report,) = make_objects(study, [Kind.REPORT])
    of_study, *of_images = groups(report.dataset)
    ours, theirs = ((each.identity.name, each.identity.version) for each in (SCORER, LATER))
    assert algorithm(of_study) == ours
    assert [algorithm(group) for group in of_images] == [ours, theirs]
    desk.close()
