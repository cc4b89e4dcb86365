from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from explained_films import SIDE, Watcher, classifier_of, striped
from PIL import Image

from models.classifier import Classifier
from models.dataset import Box, LabelledRadiograph, sources_of
from models.evaluation.pointing_game import PointingFigures, hottest_points, play
from models.evaluation.resampling import Resampling
from models.explanation.faithfulness import Faithfulness
from models.explanation.gallery import explain_set
from models.explanation.method import Method
from models.explanation.misclassified import misclassified, worst
from models.explanation.survey import Record, choose, survey
from models.output_folder import new_folder
from screening.domain.prediction import Prediction
from screening.domain.verdict import OperatingPoints
from screening.errors import BundleError, TrainingError

ROWS, COLUMNS = slice(9, 13), slice(5, 9)
PATCH = Box(5 / 16, 9 / 16, 9 / 16, 13 / 16)
POINTS = OperatingPoints(0.3, 0.7)


def row(
    name: str, fractured: int = 1, group: str = "", boxes: tuple[Box, ...] = ()
) -> LabelledRadiograph:
    return LabelledRadiograph(Path(name), fractured, group, boxes)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return classifier_of(Watcher(ROWS, COLUMNS))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledRadiograph]:
    """Striped films, which the classifier suspects, and blank ones, each labelled both ways."""
    folder = tmp_path_factory.mktemp("films")
    smooth = np.tile(np.linspace(0, 1, SIDE, dtype=np.float32), (SIDE, 1))
    found = []
    for fractured in (1, 0):
        for name, pixels in (("striped", striped(SIDE, SIDE)), ("smooth", smooth)):
            path = folder / f"{name}_{fractured}.png"
            Image.fromarray((pixels * 255).astype(np.uint8)).save(path)
            boxes = (PATCH,) if fractured else ()
            found.append(LabelledRadiograph(path, fractured, "", boxes, {}, path.name))
    return found


def pointing(
    rows: list[LabelledRadiograph],
    points: list[tuple[float, float] | None] | None,
    scores: list[float],
) -> PointingFigures | None:
    """Play with the points of this file."""
    return play(rows, points, np.array(scores), POINTS, Resampling(None, sources_of(rows)))


def test_the_pointing_game_counts_points_in_boxes() -> None:
    box = (Box(0.2, 0.2, 0.4, 0.7),)
    rows = [row(str(i), group=str(i), boxes=box) for i in range(4)] + [row("plain")]
    points = [(0.3, 0.3), (0.3, 0.8), None, (0.2, 0.7), (0.3, 0.3)]
    found = pointing(rows, points, [0.9, 0.5, 0.1, 0.8, 0.9])
    assert found is not None
    assert (found.images, found.images_found, found.images_suspected) == (4, 3, 2)
    assert found.positives.value == pytest.approx(2 / 4)
    assert found.found is not None
    assert found.found.value == pytest.approx(2 / 3)
    assert found.suspected is not None
    assert found.suspected.value == 1
    assert found.positives.low < found.positives.value < found.positives.high
    assert found.boxes_area == pytest.approx(0.2 * 0.5, abs=0.01)


def test_without_boxes_or_without_finds_there_is_nothing_to_count() -> None:
    assert pointing([row("a")], [(0.5, 0.5)], [0.9]) is None
    found = pointing([row("a", boxes=(PATCH,))], [None], [0.1])
    assert found is not None
    assert (found.positives.value, found.found, found.suspected) == (0, None, None)
    assert pointing([row("a", boxes=(PATCH,))], None, [0.1]) is None


def test_a_network_that_never_points_plays_no_game() -> None:
    assert hottest_points([Prediction(0.5), Prediction(0.9)]) is None
    assert hottest_points([Prediction(0.5), Prediction(0.9, 0.1, 0.2)]) == [None, (0.1, 0.2)]


def test_copies_of_one_source_are_one_piece_of_evidence() -> None:
    values = np.array([1.0, 0.0] * 20)
    apart = Resampling(None, [str(i) for i in range(40)]).mean(values)
    together = Resampling(None, [str(i % 4) for i in range(40)]).mean(values)
    assert apart.value == together.value == 0.5
    assert together.high - together.low > apart.high - apart.low
    one = Resampling(None, ["a", "a"]).mean(np.array([-0.5, -0.5]))
    assert (one.value, one.low, one.high) == (-0.5, -0.5, -0.5)


def test_fractures_are_chosen_evenly_over_the_table() -> None:
    rows = [row(str(i), fractured=i % 2) for i in range(20)]
    assert [int(str(item.path)) for item in choose(rows, None)] == list(range(1, 20, 2))
    assert [int(str(item.path)) for item in choose(rows, 4)] == [1, 5, 11, 15]
    assert len(choose(rows, 99)) == 10


@pytest.mark.parametrize(("rows", "most"), [([], None), ([row("a", 0)], 3), ([row("a")], 0)])
def test_no_fracture_to_explain_is_an_error(
    rows: list[LabelledRadiograph], most: int | None
) -> None:
    with pytest.raises(TrainingError, match="no fractured image is left"):
        choose(rows, most)


def test_gains_have_one_sign_for_good_heatmaps(classifier: Classifier) -> None:
    good = Faithfulness(0.2, 0.8, 0.5, 0.6, 0.4, 0.1)
    records = [Record(row(str(i)), 0.9, (0.5, 0.5), good) for i in range(3)]
    found = survey(classifier, records)
    assert found.deletion is not None
    assert found.insertion is not None
    assert found.blurred is not None
    gains = [found.deletion.gain.value, found.insertion.gain.value, found.blurred.gain.value]
    assert gains == pytest.approx([0.3, 0.2, 0.3])
    assert (found.images, found.groups, found.pointing) == (3, 3, None)


def test_a_set_is_explained_whole(
    classifier: Classifier, films: list[LabelledRadiograph], tmp_path: Path
) -> None:
    out, told = tmp_path / "a" / "why", list[tuple[int, int]]()
    found = explain_set(
        classifier,
        [film for film in films if film.fractured],
        Method.GRADCAM,
        out,
        steps=4,
        on_image=lambda done, total: told.append((done, total)),
        errors_of=films,
    )
    assert told == [(1, 2), (2, 2)]
    assert found.pointing is not None
    assert found.pointing.suspected is not None
    assert found.pointing.suspected.value == 1
    assert found.deletion is not None
    assert found.deletion.gain.value > 0
    assert sorted(path.name for path in out.iterdir()) == [
        "explanations.jsonl",
        "figures.json",
        "misclassified.png",
        "smooth_1.png",
        "striped_1.png",
    ]


def test_the_worst_errors_come_first(classifier: Classifier) -> None:
    rows = [row(str(i), fractured=i < 4) for i in range(8)]
    scores = [0.1, 0.9, 0.2, 0.5, 0.95, 0.5, 0.8, 0.1]
    alarms, missed = worst(classifier, rows, [Prediction(score) for score in scores], 5)
    assert [(int(str(e.row.path)), e.probability) for e in alarms] == [(4, 0.95), (6, 0.8)]
    assert [int(str(e.row.path)) for e in missed] == [0, 2]
    alarms, missed = worst(classifier, rows, [Prediction(score) for score in scores], 1)
    assert (len(alarms), len(missed)) == (1, 1)


def test_misclassified_films_are_drawn_with_their_heat(
    classifier: Classifier, films: list[LabelledRadiograph]
) -> None:
    predictions = [Prediction(score) for score in (0.99, 0.02, 0.98, 0.01)]
    sheet = misclassified(classifier, films, predictions)
    right = misclassified(classifier, films[:1], predictions[:1])
    assert sheet.width == right.width
    assert sheet.height > right.height + 2 * 280
    # The false alarm is striped, so it has heat; the miss is smooth and stays grey.
    colours = np.ptp(np.asarray(sheet).astype(int), axis=2)
    assert colours[: sheet.height // 2].max() > 60


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def begin(error: BaseException) -> None:
        with new_folder(out) as folder:
            (folder / "half").write_text("written")
            raise error

    for error in (KeyboardInterrupt(), BundleError("no")):
        with pytest.raises(type(error)):
            begin(error)
        assert list(tmp_path.iterdir()) == []
    with new_folder(out) as folder:
        (folder / "all").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "all"]
    with pytest.raises(TrainingError, match="already there"), new_folder(out):
        pass
