from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from labelled_sets import film
from torch import Tensor, nn
from torchvision_networks import checkpoint

from models.bundle import CARD, METADATA, read_bundle
from models.checkpoint import read_checkpoint
from models.classifier import load_classifier
from models.dataset import read_pixels, unit_range
from models.importing import ImportSettings, import_checkpoint
from models.networks.registry import SHORT_NAMES, build_network
from screening.domain.verdict import OperatingPoints
from screening.errors import BundleError

SIDE = 64
COMPACT = ImportSettings("compact_cnn", pixels="symmetric", size=SIDE)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(3)
    return build_network("compact_cnn", {}).state_dict()


@pytest.fixture
def saved(state: dict[str, Tensor], tmp_path: Path) -> Path:
    torch.save(state, tmp_path / "compact.pth")
    return tmp_path / "compact.pth"


@pytest.fixture(scope="module")
def brightness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set whose fractured films are dark on the left, which a network can be made to see."""
    folder = tmp_path_factory.mktemp("films")
    rows = ["path,label,split,group"]
    for number in range(24):
        fractured = number % 2 == 0
        picture = film(number, (96, 96))
        shade = 20 if fractured else 235
        picture.paste(shade, (0, 0, 60, 96))
        picture.save(folder / f"{number}.png")
        label = "fractured" if fractured else "not_fractured"
        rows.append(f"{number}.png,{label},val,{number}")
    (folder / "index.csv").write_text("\n".join(rows))
    return folder


def seeing_darkness() -> dict[str, Tensor]:
    """Return weights of the compact network by which a dark image gets a high logit."""
    network: Any = build_network("compact_cnn", {"outputs": 1}).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.fill_(1 / module.weight[0].numel())
                module.bias.zero_()
        network.classifier[-1].weight.fill_(-1.0)
        network.classifier[-1].bias.fill_(0.2)
    return dict(network.state_dict())


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_checkpoint_becomes_a_bundle_that_scores(
    state: dict[str, Tensor], tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)
    import_checkpoint(COMPACT, path, tmp_path / "bundle", name="theirs")
    classifier = load_classifier(tmp_path / "bundle")
    assert classifier.identity.name == "theirs"
    image = classifier.prepare(unit_range(read_pixels_of(tmp_path)))
    network: Any = build_network("compact_cnn", {}).eval()
    network.load_state_dict(state)
    with torch.inference_mode():
        expected = torch.sigmoid(network(image.tensor[None]).image)
    assert classifier.score([image])[0].probability == pytest.approx(float(expected), abs=1e-5)


def read_pixels_of(folder: Path) -> Any:  # noqa: ANN401 - an array
    film(1).save(folder / "film.png")
    return read_pixels(folder / "film.png")


def test_without_data_it_says_that_it_is_not_calibrated(saved: Path, tmp_path: Path) -> None:
    bundle = read_bundle(import_checkpoint(COMPACT, saved, tmp_path / "mine"))
    assert bundle.name == "mine"
    assert bundle.metadata["nightread"]["calibrated"] is False
    assert bundle.settings.operating_points == OperatingPoints(0.5, 0.5)
    card = (bundle.path / CARD).read_text()
    assert "**Not calibrated.**" in card
    assert "no probability" in card
    assert "compact.pth" in card
    assert "No test figures" in card


def test_with_data_its_points_are_chosen_on_the_validation_split(
    brightness: Path, tmp_path: Path
) -> None:
    torch.save(seeing_darkness(), tmp_path / "dark.pth")
    seen: list[tuple[int, int]] = []
    out = import_checkpoint(
        COMPACT,
        tmp_path / "dark.pth",
        tmp_path / "mine",
        data=brightness,
        on_image=lambda done, total: seen.append((done, total)),
    )
    bundle = read_bundle(out)
    # 24 films in seven views, 16 at a time.
    assert (seen[0], seen[1], seen[-1]) == ((16, 168), (24, 168), (168, 168))
    assert bundle.metadata["nightread"]["calibrated"] is True
    assert bundle.settings.calibration.image > 0
    assert "Not calibrated" not in (out / CARD).read_text()
    classifier = load_classifier(out)
    dark, bright = (
        classifier.prepare(unit_range(read_pixels(brightness / name)))
        for name in ("0.png", "1.png")
    )
    scores = [item.probability for item in classifier.score([dark, bright])]
    assert scores[0] >= bundle.settings.operating_points.high_sensitivity > scores[1]


def test_a_checkpoint_that_runs_the_wrong_way_is_named_and_can_be_turned(
    brightness: Path, tmp_path: Path
) -> None:
    state = seeing_darkness()
    state["classifier.4.weight"] = -state["classifier.4.weight"]
    torch.save(state, tmp_path / "light.pth")
    with pytest.raises(BundleError, match="--fracture-output 0"):
        import_checkpoint(COMPACT, tmp_path / "light.pth", tmp_path / "mine", data=brightness)
    assert left(tmp_path) == ["light.pth"]
    turned = ImportSettings("compact_cnn", "symmetric", fracture_output=0, size=SIDE)
    import_checkpoint(turned, tmp_path / "light.pth", tmp_path / "mine", data=brightness)


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_other_output_gives_the_other_probability(outputs: int, tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = build_network("compact_cnn", {"outputs": outputs})
    torch.save(network.state_dict(), tmp_path / "x.pth")
    probabilities = []
    for output in (0, 1):
        settings = ImportSettings("compact_cnn", "unit", fracture_output=output, size=SIDE)
        out = import_checkpoint(settings, tmp_path / "x.pth", tmp_path / str(output))
        classifier = load_classifier(out)
        image = classifier.prepare(unit_range(read_pixels_of(tmp_path)))
        probabilities.append(classifier.score([image])[0].probability)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert probabilities[0] != pytest.approx(0.5, abs=1e-6)


def test_what_torchvision_s_pixels_were_stays_with_the_bundle(tmp_path: Path) -> None:
    images = torch.rand(1, 3, SIDE, SIDE).double() * 2 - 1
    state, _ = checkpoint("mobilenet_v2_published", images, 2)
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}},
        tmp_path / "tv.pth",
    )
    # The network with a map becomes the published one: torchvision's has no map.
    out = import_checkpoint(
        ImportSettings("mobilenet_v2", size=SIDE), tmp_path / "tv.pth", tmp_path / "b"
    )
    bundle = read_bundle(out)
    assert bundle.target == SHORT_NAMES["mobilenet_v2_published"]
    assert bundle.arguments["mean"] == [0.485, 0.456, 0.406]
    assert bundle.arguments["head"] == "pooled"
    network = build_network(bundle.target, bundle.arguments).eval()
    network.load_state_dict(safetensors.torch.load(bundle.read_weights()))
    for name, value in state.items():
        assert torch.equal(network.state_dict()[name], value.float() if value.ndim else value), name


def test_the_dense_head_is_told_from_the_pooled_one(tmp_path: Path) -> None:
    network = build_network("mobilenet_v2_published", {"head": "dense", "size": SIDE})
    torch.save(network.state_dict(), tmp_path / "dense.pth")
    settings = ImportSettings("mobilenet_v2_published", size=SIDE)
    out = import_checkpoint(settings, tmp_path / "dense.pth", tmp_path / "bundle")
    assert read_bundle(out).arguments["head"] == "dense"
    with pytest.raises(BundleError, match="--size"):
        import_checkpoint(
            ImportSettings("mobilenet_v2_published", size=96),
            tmp_path / "dense.pth",
            tmp_path / "b",
        )


def test_our_own_network_with_a_map_is_taken_with_its_map(tmp_path: Path) -> None:
    network = build_network("mobilenet_v2", {"cell_width": 32})
    torch.save(network.state_dict(), tmp_path / "ours.pth")
    settings = ImportSettings("mobilenet_v2", "symmetric", size=SIDE)
    out = import_checkpoint(settings, tmp_path / "ours.pth", tmp_path / "bundle")
    assert read_bundle(out).arguments["cell_width"] == 32
    load_classifier(out)


class Bomb:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.trace,)


def other_architecture(path: Path, _: dict[str, Tensor]) -> None:
    torch.save(build_network("custom_cnn", {"size": SIDE}).state_dict(), path)


def cut_short(path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:-5000])


def with_code(path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state | {"bomb": Bomb(path.with_name("ran"))}, path)


def plain_pickle_with_code(path: Path, _: dict[str, Tensor]) -> None:
    path.write_bytes(pickle.dumps(Bomb(path.with_name("ran"))))


def whole_module(path: Path, _: dict[str, Tensor]) -> None:
    torch.save(nn.Linear(2, 2), path)


def classes_of_imagenet(path: Path, state: dict[str, Tensor]) -> None:
    torch.save(
        state
        | {"classifier.4.weight": torch.zeros(1000, 256), "classifier.4.bias": torch.zeros(1000)},
        path,
    )


def without_a_head(path: Path, state: dict[str, Tensor]) -> None:
    torch.save({key: state[key] for key in state if key.startswith("features.")}, path)


def not_finite(path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state | {"features.0.bias": torch.full((64,), float("nan"))}, path)


def one_number_shown_as_many(path: Path, _: dict[str, Tensor]) -> None:
    torch.save({"features.0.bias": torch.zeros(1).expand(10**12)}, path)


def sparse(path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state | {"features.0.bias": state["features.0.bias"].to_sparse()}, path)


def without_numbers(path: Path, state: dict[str, Tensor]) -> None:
    torch.save({name: value.to("meta") for name, value in state.items()}, path)


def truth_values(path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state | {"features.0.bias": state["features.0.bias"] > 0}, path)


def a_zip(path: Path, _: dict[str, Tensor]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no weights")


def text(path: Path, _: dict[str, Tensor]) -> None:
    path.write_text("no weights")


def nothing(path: Path, _: dict[str, Tensor]) -> None:
    path.write_bytes(b"")


def no_tensors(path: Path, _: dict[str, Tensor]) -> None:
    torch.save({"epoch": 3}, path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_architecture, "is no checkpoint of compact_cnn: "),
        (cut_short, "cut short"),
        (with_code, "never runs"),
        (plain_pickle_with_code, "never runs"),
        (whole_module, "never runs"),
        (classes_of_imagenet, "has no fracture head but one of other classes"),
        (without_a_head, "has no fracture head but none at all"),
        (not_finite, "not finite"),
        (one_number_shown_as_many, "without all of its numbers"),
        (sparse, "without all of its numbers"),
        (without_numbers, "without all of its numbers"),
        (truth_values, r"1 tensors are of another shape or kind \(the first: features.0.bias"),
        (a_zip, "cannot be read as weights"),
        (text, "cannot be read as weights"),
        (nothing, "cannot be read as weights"),
        (no_tensors, "holds no tensors by name"),
    ],
)
def test_what_is_no_checkpoint_of_the_network_is_refused_and_leaves_nothing(
    state: dict[str, Tensor],
    tmp_path: Path,
    spoil: Callable[[Path, dict[str, Tensor]], None],
    message: str,
) -> None:
    spoil(tmp_path / "x.pth", state)
    with pytest.raises(BundleError, match=message):
        import_checkpoint(COMPACT, tmp_path / "x.pth", tmp_path / "bundle")
    assert left(tmp_path) == ["x.pth"]


def test_safetensors_that_are_cut_short_are_refused(
    state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(state, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BundleError, match="cut short"):
        import_checkpoint(COMPACT, path, tmp_path / "bundle")
    assert left(tmp_path) == ["x.safetensors"]


def test_one_layer_more_or_less_is_named(state: dict[str, Tensor], tmp_path: Path) -> None:
    less = {key: value for key, value in state.items() if key != "features.4.bias"}
    torch.save(less | {"features.99.weight": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(BundleError, match=r"missing .*features\.4\.bias.*unknown .*features\.99"):
        import_checkpoint(COMPACT, tmp_path / "x.pth", tmp_path / "bundle")


def test_a_folder_that_is_there_is_left_alone(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(BundleError, match="already there"):
        import_checkpoint(COMPACT, saved, tmp_path / "mine")
    assert left(tmp_path / "mine") == []


def test_a_set_without_a_validation_split_leaves_nothing(saved: Path, tmp_path: Path) -> None:
    from screening.errors import TrainingError

    (tmp_path / "set").mkdir()
    with pytest.raises(TrainingError):
        import_checkpoint(COMPACT, saved, tmp_path / "mine", data=tmp_path / "set")
    assert left(tmp_path) == ["compact.pth", "set"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ImportSettings("resnet5000"), "is not one of mobilenet_v2, "),
        (ImportSettings("compact_cnn", size=100), "multiple of 32"),
    ],
)
def test_a_wrong_setting_is_named(
    saved: Path, tmp_path: Path, settings: ImportSettings, message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        import_checkpoint(settings, saved, tmp_path / "mine")
    assert left(tmp_path) == ["compact.pth"]


def test_half_precision_becomes_float32(state: dict[str, Tensor], tmp_path: Path) -> None:
    halves = {
        key: value.half() if value.is_floating_point() else value for key, value in state.items()
    }
    torch.save({"model": halves}, tmp_path / "x.pth")
    found = read_checkpoint(tmp_path / "x.pth")
    assert list(found) == list(state)
    assert {value.dtype for value in found.values()} == {torch.float32, torch.int64}


def test_the_metadata_keeps_what_a_bundle_of_ours_has(saved: Path, tmp_path: Path) -> None:
    out = import_checkpoint(COMPACT, saved, tmp_path / "mine")
    mine = json.loads((out / METADATA).read_text())
    ours = read_bundle("mobilenet_v2").metadata
    assert set(mine) == set(ours)
    assert mine["network_data_format"]["inputs"] == {
        "image": ours["network_data_format"]["inputs"]["image"] | {"spatial_shape": [SIDE, SIDE]}
    }
