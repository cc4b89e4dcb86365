from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from comparison_runs import drawn_set, write_run

from models.comparison.account import account
from models.comparison.claim import read_claims
from models.comparison.comparison import Comparison, compare
from models.comparison.contender import Contender, find_contenders
from models.comparison.labelled_split import LabelledSplit, open_split
from models.comparison.multiregion import clean_split, published_split, write_set
from models.comparison.report import write_report
from models.comparison.standing import standings
from models.dataset import read_split
from screening.errors import BundleError, TrainingError

NAMES = ("multiregion_published", "multiregion_clean", "fracatlas")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sets and four runs."""
    place = tmp_path_factory.mktemp("place")
    for number, name in enumerate(NAMES):
        drawn_set(place / name, 1000 * (number + 1))
    # The published set leaks: half of its test films are in train.
    for number in range(6):
        (place / NAMES[0] / f"test{number}.png").write_bytes(
            (place / NAMES[0] / f"train{number}.png").read_bytes()
        )
    write_run(place / "resnet18-published", "resnet18", place / NAMES[0], leaking=True)
    write_run(place / "resnet18-clean", "resnet18", place / NAMES[1], seed=1)
    write_run(place / "vgg16-clean", "vgg16", place / NAMES[1], epochs=3, planned=50, seed=2)
    write_run(place / "ours", "mobilenet_v2", place / NAMES[2], seed=3)
    return place


@pytest.fixture(scope="module")
def contenders(place: Path) -> tuple[Contender, ...]:
    runs = ("resnet18-published", "resnet18-clean", "vgg16-clean", "ours")
    return find_contenders([str(place / run) for run in runs])


@pytest.fixture(scope="module")
def sets(place: Path) -> list[LabelledSplit]:
    return [open_split(name, place / name) for name in NAMES]


@pytest.fixture(scope="module")
def comparison(
    place: Path, contenders: tuple[Contender, ...], sets: list[LabelledSplit]
) -> Comparison:
    return compare(contenders, sets, place / "results", ensembles=True)


def test_every_classifier_is_measured_on_every_set(comparison: Comparison) -> None:
    assert [entry.label for entry in comparison.entries] == [
        "resnet18-published",
        "resnet18-clean",
        "vgg16-clean",
        "ours",
        "average of 2, multiregion_clean",
        "stacked of 2, multiregion_clean",
    ]
    for entry in comparison.entries:
        assert tuple(entry.on) == NAMES
        assert all(0 <= on.figures.accuracy.value <= 1 for on in entry.on.values())


def test_what_was_measured_is_not_measured_again(
    place: Path, contenders: tuple[Contender, ...], sets: list[LabelledSplit]
) -> None:
    told: list[str] = []
    before = sorted((place / "results").iterdir())
    again = compare(
        contenders, sets, place / "results", on_image=lambda label, *_: told.append(label)
    )
    assert told == []
    assert sorted((place / "results").iterdir()) == before
    assert len(again.entries) == 4


def test_a_row_can_be_measured_today_and_another_tomorrow(
    place: Path, contenders: tuple[Contender, ...], sets: list[LabelledSplit], tmp_path: Path
) -> None:
    told: list[tuple[str, str]] = []

    def tell(label: str, name: str, done: int, total: int) -> None:
        if done == total:
            told.append((label, name))

    compare(contenders[:1], sets[:1], tmp_path, on_image=tell)
    compare(contenders[:2], sets[:1], tmp_path, on_image=tell)
    assert told == [
        ("resnet18-published", f"{NAMES[0]}, test"),
        ("resnet18-clean", f"{NAMES[0]}, test"),
    ]


@pytest.mark.parametrize("change", ["settings", "data", "file"])
def test_another_model_or_other_data_is_measured_anew(tmp_path: Path, change: str) -> None:
    data = drawn_set(tmp_path / "data", 7000, each=2)
    run = write_run(tmp_path / "run", "resnet18", data)

    def measured() -> int:
        told: list[int] = []
        contenders, sets = find_contenders([str(run)]), [open_split("data", data)]
        compare(contenders, sets, tmp_path / "results", on_image=lambda *_: told.append(1))
        return len(told)

    assert measured() == 1
    assert measured() == 0
    if change == "settings":
        path = run / "bundle/configs/metadata.json"
        path.write_text(path.read_text().replace('"bias": 0.0', '"bias": 0.25'))
    elif change == "data":
        (data / "test0.png").write_bytes((data / "train0.png").read_bytes())
    else:
        for path in (tmp_path / "results").glob("run-*.json"):
            path.write_text("{")
    assert measured() == 1


def test_a_training_set_is_known_by_its_validation_split(
    comparison: Comparison, place: Path, tmp_path: Path
) -> None:
    trained = [entry.trained_on for entry in comparison.entries]
    assert trained == [NAMES[0], NAMES[1], NAMES[1], NAMES[2], NAMES[1], NAMES[1]]
    contenders = find_contenders([str(place / "ours")])
    (entry,) = compare(contenders, [open_split("another_name", place / NAMES[2])], tmp_path).entries
    assert entry.trained_on == "another_name"


def test_copies_of_training_films_are_counted(comparison: Comparison) -> None:
    leaking, clean, *_ = comparison.entries
    assert leaking.on[NAMES[0]].copies == 6
    assert leaking.on[NAMES[1]].copies == 0
    assert clean.on[NAMES[1]].copies == 0


def test_each_claim_stands_beside_ours(comparison: Comparison) -> None:
    found = {standing.claim.name: standing for standing in standings(comparison)}
    resnet, vgg = found["resnet18"], found["vgg16"]
    assert resnet.accuracies[0] == pytest.approx(0.9993)
    assert resnet.on_published is comparison.entries[0].on[NAMES[0]]
    assert resnet.on_clean is comparison.entries[1].on[NAMES[1]]
    assert resnet.on_fracatlas is comparison.entries[1].on[NAMES[2]]
    assert vgg.on_published is None
    assert not found["custom_cnn"].measured


def test_the_page_says_what_is_left_and_what_is_unfinished(
    comparison: Comparison, place: Path, tmp_path: Path
) -> None:
    write_report(comparison, tmp_path / "page")
    text = (tmp_path / "page/comparison.md").read_text()
    assert "| ResNet18 | 99.93 % |" in text
    assert "VGG16 (clean 3 of 50 epochs)" in text
    assert "3 of 50 epochs, 3 min on 2 CPU cores" in text
    plain = text.replace("\\", "")
    run, data = place / "vgg16-clean", place / NAMES[1]
    assert f"nightread train vgg16 --data {data} --run {run} --resume" in plain
    assert f"nightread train custom_cnn --data {data} --run runs/custom_cnn-clean |" in plain
    assert "LEAKS: 6 of 12 (50 %)" in plain
    assert "multiregion_published, WHICH LEAKS" in plain
    page = (tmp_path / "page/comparison.html").read_text()
    assert page.count("data:image/png") == 3
    found = json.loads((tmp_path / "page/comparison.json").read_text())
    assert found["classifiers"][2]["finished_by"].endswith("--resume")
    assert found["classifiers"][0]["finished_by"] == ""


def test_an_ensemble_says_what_it_is_made_of_and_what_it_costs(comparison: Comparison) -> None:
    one, two, average, stacked = (comparison.entries[i] for i in (1, 2, 4, 5))
    assert average.members == (("resnet18-clean", 0.5), ("vgg16-clean", 0.5))
    assert [label for label, _ in stacked.members] == ["resnet18-clean", "vgg16-clean"]
    assert average.parameters == one.parameters + two.parameters
    slower = min(entry.on[NAMES[0]].images_per_second for entry in (one, two))
    assert average.on[NAMES[0]].images_per_second < slower
    text = " ".join(section.title for section in account(comparison))
    assert "Ensembles" in text


def test_without_a_published_model_the_page_holds_the_rest(
    place: Path, sets: list[LabelledSplit]
) -> None:
    contenders = find_contenders([str(place / "ours")])
    titles = [item.title for item in account(compare(contenders, sets, place / "results"))]
    assert "What was claimed, and what is left" not in titles
    assert "Cost" in titles


def test_claims_are_the_authors_own_on_the_leaking_split() -> None:
    claimed = {claim.name: claim.accuracy for claim in read_claims()}
    assert claimed["efficientnet_b0"] == 99.21
    assert claimed["densenet121"] is None
    assert len(claimed) == 10


def test_every_claim_has_a_recipe() -> None:
    recipes = Path(__file__).parents[1] / "models/recipes"
    assert all((recipes / f"{claim.name}.toml").is_file() for claim in read_claims())


def test_parameters_are_counted_without_what_is_not_learnt(
    contenders: tuple[Contender, ...],
) -> None:
    from models.networks.registry import build_network

    network = build_network(contenders[0].bundle.target, {})
    learnt = sum(value.numel() for value in network.parameters())
    assert contenders[0].parameters() == learnt


def test_an_early_stop_is_an_end(tmp_path: Path) -> None:
    data = drawn_set(tmp_path / "data", 8000, each=2)
    run = write_run(tmp_path / "run", "resnet18", data, epochs=4, planned=50)
    (unfinished,) = find_contenders([str(run)])
    assert unfinished.training is not None
    assert not unfinished.training.finished
    path = run / "bundle/configs/metadata.json"
    path.write_text(path.read_text().replace('"cycles"', '"patience": 2, "cycles"'))
    losses = [0.5, 0.4, 0.45, 0.5]
    (run / "history.json").write_text(json.dumps([{"validation_loss": loss} for loss in losses]))
    (stopped,) = find_contenders([str(run)])
    assert stopped.training is not None
    assert stopped.training.finished
    assert "stopped early" in str(stopped.training)


def test_a_shipped_bundle_takes_part_by_its_name() -> None:
    (found,) = find_contenders(["mobilenet_v2"])
    assert (found.label, found.run) == ("mobilenet_v2", None)
    assert found.training is not None


def test_equal_labels_are_told_apart(place: Path, tmp_path: Path) -> None:
    again = write_run(tmp_path / "ours", "mobilenet_v2", place / NAMES[2], seed=9)
    labels = [item.label for item in find_contenders([str(place / "ours"), str(again)])]
    assert len(set(labels)) == 2
    assert all(label.startswith("ours ") for label in labels)


def test_a_run_that_is_not_there_is_refused() -> None:
    with pytest.raises(BundleError, match="nowhere is no run"):
        find_contenders(["nowhere"])


def test_a_run_without_a_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"no bundle yet: finish it with .*--resume"):
        find_contenders([str(tmp_path)])


def test_a_set_of_one_class_is_refused(tmp_path: Path) -> None:
    data = drawn_set(tmp_path / "data", 9000, each=2)
    index = data / "index.csv"
    index.write_text(index.read_text().replace("not_fractured,test", "fractured,test"))
    with pytest.raises(TrainingError, match="not_fractured"):
        open_split("data", data)


def test_two_sets_of_one_name_are_refused(
    contenders: tuple[Contender, ...], sets: list[LabelledSplit], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="the same name"):
        compare(contenders, [sets[0], sets[0]], tmp_path)


def write_multiregion(folder: Path) -> Path:
    """Write two sources, one of them with a copy in the test split and a turned copy."""
    (folder / "images").mkdir(parents=True)
    index = [
        ("path", "label", "split", "original", "group"),
        ("images/a.jpg", "fractured", "train", "1", "g1"),
        ("images/a_turned.jpg", "fractured", "train", "0", "g1"),
        ("images/b.jpg", "not_fractured", "test", "1", "g2"),
        ("images/b_turned.jpg", "not_fractured", "test", "0", "g2"),
    ]
    files = [
        ("kaggle_path", "kaggle_split", "label", "path"),
        ("train/1.jpg", "train", "fractured", "images/a.jpg"),
        ("train/2.jpg", "train", "fractured", "images/a.jpg"),
        ("train/3.jpg", "train", "not_fractured", "images/b_turned.jpg"),
        ("test/1.jpg", "test", "fractured", "images/a.jpg"),
        ("test/2.jpg", "test", "not_fractured", "images/b.jpg"),
    ]
    for name, rows in (("index.csv", index), ("kaggle_paths.csv", files)):
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    return folder


def test_the_published_split_keeps_its_copies(tmp_path: Path) -> None:
    folder = write_multiregion(tmp_path / "set")
    rows = published_split(folder)
    assert [(row.path, row.split, row.copies) for row in rows] == [
        ("images/a.jpg", "train", 2),
        ("images/a.jpg", "train", 2),
        ("images/b_turned.jpg", "train", 1),
        ("images/a.jpg", "test", 1),
        ("images/b.jpg", "test", 1),
    ]
    assert len(published_split(folder, distinct=True)) == 4


def test_the_clean_split_is_measured_on_originals_alone(tmp_path: Path) -> None:
    rows = clean_split(write_multiregion(tmp_path / "set"))
    assert [row.path for row in rows if row.split == "train"] == [
        "images/a.jpg",
        "images/a_turned.jpg",
    ]
    assert [row.path for row in rows if row.split == "test"] == ["images/b.jpg"]


def test_tables_of_two_sets_are_refused(tmp_path: Path) -> None:
    folder = write_multiregion(tmp_path / "set")
    table = folder / "kaggle_paths.csv"
    table.write_text(table.read_text() + "test/9.jpg,test,fractured,images/z.jpg\n")
    with pytest.raises(TrainingError, match=r"lacks 1 images .* images/z\.jpg"):
        published_split(folder)
    (folder / "kaggle_paths.csv").unlink()
    with pytest.raises(TrainingError, match=r"no kaggle_paths\.csv"):
        published_split(folder)


def test_a_written_split_is_a_labelled_set(tmp_path: Path, test_data: Path) -> None:
    folder = test_data / "multiregion"
    out = write_set(published_split(folder, distinct=True), folder / "images", tmp_path / "out")
    write_set(published_split(folder, distinct=True), folder / "images", tmp_path / "out")
    counts = Counter(row.fractured for row in read_split(out, "test"))
    assert counts == {1: 237, 0: 267}
    with pytest.raises(TrainingError, match="give another folder"):
        write_set([], tmp_path / "images", out)
