from __future__ import annotations

import re
from pathlib import Path

import pytest

from screening.domain.prediction import Familiarity, Prediction
from screening.domain.reason import Reason
from screening.records.result_schema import ExclusionRow

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_readme_lists_every_reason_and_no_other() -> None:
    section = README.partition("The reasons for *not scored*:")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)
    assert sorted(listed) == sorted(reason.value for reason in Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_has_its_sentence_and_fits_its_column(reason: Reason) -> None:
    assert reason.sentence
    assert len(reason.value) <= ExclusionRow.__table__.c.reason.type.length


def test_what_is_no_number_is_not_familiar() -> None:
    assert Prediction(0.5, familiarity=Familiarity(float("nan"), 1.0)).unlike
    assert Prediction(0.5, familiarity=Familiarity(1.1, 1.0)).unlike
    assert not Prediction(0.5, familiarity=Familiarity(1.0, 1.0)).unlike


def test_a_classifier_that_cannot_tell_calls_nothing_unlike() -> None:
    assert not Prediction(0.5).unlike
