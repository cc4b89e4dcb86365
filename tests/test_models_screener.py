from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from models.classifier import Classifier, load_classifier
from models.compiled import CompiledBlock
from models.explanation.cam import cam_weights
from models.explanation.grad_cam import attend
from models.networks.fusion import ClampedConvolution, join_clamps
from models.networks.registry import build_network
from models.precision import FullPrecision, has_bfloat16
from models.screener import Evidence, Screener
from models.transforms import PreparedImage
from phantoms.radiograph import make_phantom
from screening.domain.precision import Precision
from screening.domain.verdict import FLAGGED

FILMS = 24


@pytest.fixture(scope="module")
def exact() -> Screener:
    return Screener(load_classifier("mobilenet_v2"), Precision.FLOAT32)


@pytest.fixture(scope="module")
def quick() -> Screener:
    return Screener(load_classifier("mobilenet_v2"), Precision.BFLOAT16)


@pytest.fixture(scope="module")
def films(test_data: Path, exact: Screener) -> list[PreparedImage]:
    """Films of the validation split, of both kinds."""
    root = test_data / "fracatlas"
    with (root / "index.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    chosen = [row for row in rows if row["truncated"] != "1"][:: len(rows) // FILMS][:FILMS]
    pictures = [np.asarray(Image.open(root / row["path"]).convert("L")) for row in chosen]
    return [exact.classifier.prepare(pixels.astype(np.float32) / 255) for pixels in pictures]


def phantom(classifier: Classifier, seed: int = 3) -> PreparedImage:
    return classifier.prepare(make_phantom(seed, "HAND", "PA", rows=300, columns=200))


def test_half_precision_changes_no_verdict_on_real_films(
    exact: Screener, quick: Screener, films: list[PreparedImage]
) -> None:
    points = exact.classifier.points
    ours, theirs = quick.score(films), exact.score(films)
    for one, other in zip(ours, theirs, strict=True):
        first, second = one.prediction, other.prediction
        assert first.probability == pytest.approx(second.probability, abs=0.02)
        assert points.verdict(first.probability) is points.verdict(second.probability)
        assert first.unlike is second.unlike


def test_an_image_is_scored_alike_alone_and_in_a_batch(
    quick: Screener, films: list[PreparedImage]
) -> None:
    together = quick.score(films[:6])
    for image, opinion in zip(films[:6], together, strict=True):
        (alone,) = quick.score([image])
        assert alone.prediction.probability == pytest.approx(
            opinion.prediction.probability, abs=0.02
        )


def test_what_lies_close_to_an_operating_point_is_read_again_exactly(
    quick: Screener, exact: Screener, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = phantom(quick.classifier)
    monkeypatch.setattr(Screener, "is_close", lambda *_: True)
    (ours,), (theirs,) = quick.score([image]), exact.score([image])
    assert ours.prediction.probability == pytest.approx(theirs.prediction.probability, abs=1e-5)


def test_close_is_close_to_either_point_and_to_the_limit_of_familiarity(quick: Screener) -> None:
    from screening.domain.prediction import Familiarity, Prediction

    points = quick.classifier.points
    for point in (points.high_sensitivity, points.high_specificity):
        assert quick.is_close(Prediction(point * 1.01), 0.05)
    assert not quick.is_close(Prediction(0.99), 0.05)
    assert not quick.is_close(Prediction(1.0), 0.05)
    assert quick.is_close(Prediction(0.99, familiarity=Familiarity(1.9, 2.0)), 0.05)
    assert quick.is_close(Prediction(0.99, familiarity=Familiarity(float("nan"), 2.0)), 0.05)
    assert not quick.is_close(Prediction(0.99, familiarity=Familiarity(-9.0, 2.0)), 0.05)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Screener:
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("compiled")
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(cache))
        screener = Screener(load_classifier("mobilenet_v2"), Precision.BFLOAT16, compiled=True)
        assert any(cache.rglob("*.so")), "nothing was compiled"
        return screener


def test_a_compiled_network_scores_as_the_other_does_and_hears_the_same(
    compiled: Screener, exact: Screener, films: list[PreparedImage]
) -> None:
    assert compiled.compiled
    points = exact.classifier.points
    for ours, theirs in zip(compiled.score(films[:10]), exact.score(films[:10]), strict=True):
        first, second = ours.prediction, theirs.prediction
        assert first.probability == pytest.approx(second.probability, abs=0.02)
        assert points.verdict(first.probability) is points.verdict(second.probability)
        assert first.familiarity is not None
        assert second.familiarity is not None
        assert first.familiarity.strangeness == pytest.approx(
            second.familiarity.strangeness, abs=0.5
        )
        assert (ours.heatmap is None) is (theirs.heatmap is None)


def test_only_a_full_part_runs_compiled(compiled: Screener, films: list[PreparedImage]) -> None:
    features = compiled.classifier.network.features
    assert isinstance(features, nn.Sequential)
    assert isinstance(features[5], CompiledBlock)
    asked: list[int] = []
    handle = features[5].block.register_forward_pre_hook(
        lambda _module, given: asked.append(len(given[0]))
    )
    try:
        compiled._pass(films[:6], quick=True)
    finally:
        handle.remove()
    assert set(asked) == {2}, "a full part went through the block itself"


def no_compiler(*_: object, **__: object) -> None:
    raise RuntimeError("no C++ compiler")


def test_without_a_compiler_the_night_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # torch compiles, and finds no compiler, when a block is first asked.
    monkeypatch.setattr(torch, "compile", lambda *_, **__: no_compiler)
    screener = Screener(load_classifier("mobilenet_v2"), Precision.FLOAT32, compiled=True)
    assert not screener.compiled
    assert capsys.readouterr().out.count("NIGHTREAD_COMPILE") == 1
    assert not any(
        isinstance(each, CompiledBlock) for each in screener.classifier.network.modules()
    )
    assert screener.score([phantom(screener.classifier)])


def test_a_compiled_block_that_fails_later_goes_on_as_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch, "compile", lambda forward, **_: forward)
    block = CompiledBlock(nn.Conv2d(3, 4, 3), 2, autocast=False).eval()
    part = torch.rand(2, 3, 8, 8)
    with torch.inference_mode():
        before = block(part)
        monkeypatch.setattr(block, "_compiled", no_compiler)
        for _ in range(2):
            assert torch.equal(block(part), before)
    assert capsys.readouterr().out.count("compiled_block_failed") == 1


def test_the_first_blocks_keep_their_precision_once(quick: Screener) -> None:
    features = quick.classifier.network.features
    again = Screener(quick.classifier, Precision.BFLOAT16)
    assert isinstance(features[0], FullPrecision)  # type: ignore[index]
    assert not isinstance(features[0].block, FullPrecision)  # type: ignore[index]
    assert again.quick
    assert not isinstance(features[2], FullPrecision)  # type: ignore[index]


def test_what_is_flagged_has_a_heatmap_and_what_is_clear_has_none(
    exact: Screener, films: list[PreparedImage]
) -> None:
    points, flagged = exact.classifier.points, 0
    for film, opinion in zip(films, exact.score(films), strict=True):
        is_flagged = points.verdict(opinion.prediction.probability) in FLAGGED
        assert (opinion.heatmap is not None) is is_flagged
        flagged += is_flagged
        if opinion.heatmap is not None:
            height, width = opinion.heatmap.grid.shape
            assert width / height == pytest.approx(film.width / film.height, abs=0.02)
    assert 0 < flagged < len(films)


@pytest.mark.parametrize("name", ["densenet121", "resnet18", "efficientnet_b0", "mobilenet_v2"])
def test_the_closed_form_is_grad_cam_up_to_scale(name: str) -> None:
    torch.manual_seed(1)
    network = build_network(name, {}).eval()
    weights = cam_weights(network)
    assert weights is not None
    found = attend(network, torch.rand(2, 1, 128, 128) * 2 - 1)
    closed = torch.einsum("nchw,c->nhw", found.activations, weights).relu()
    cells = closed.shape[1] * closed.shape[2]
    torch.testing.assert_close(closed / cells, found.grad_cam(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["sequential_cnn", "vgg16", "compact_cnn"])
def test_other_heads_have_no_closed_form(name: str) -> None:
    assert cam_weights(build_network(name, {})) is None


def test_a_batch_that_does_not_fit_is_halved(
    exact: Screener, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = Classifier.examine

    def small(self: Classifier, images: Sequence[PreparedImage]) -> list[Evidence]:
        asked.append(len(images))
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, images)

    images = [phantom(exact.classifier, seed) for seed in range(3)]
    expected = [opinion.prediction for opinion in exact.score(images)]
    monkeypatch.setattr(Classifier, "examine", small)
    limited = Screener(exact.classifier, Precision.FLOAT32)
    found = [opinion.prediction for opinion in limited.score(images)]
    assert asked == [3, 1, 1, 1]
    for one, other in zip(found, expected, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-4)


def test_one_image_that_does_not_fit_is_an_error(
    exact: Screener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Classifier, "examine", never)
    with pytest.raises(torch.OutOfMemoryError):
        Screener(exact.classifier, Precision.FLOAT32).score([phantom(exact.classifier)])


def test_a_clamp_that_joined_its_convolution_changes_no_bit() -> None:
    torch.manual_seed(3)
    chain = nn.Sequential(
        nn.Conv2d(8, 16, 3, 2, 1), nn.Identity(), nn.ReLU6(), nn.Conv2d(16, 4, 1), nn.ReLU6()
    ).eval()
    image = torch.randn(2, 8, 33, 40) * 4
    with torch.inference_mode():
        with torch.autocast("cpu", torch.bfloat16):
            before = chain(image)
        exactly = chain(image)
        join_clamps(chain)
        assert isinstance(chain[0], ClampedConvolution)
        assert isinstance(chain[3], nn.Conv2d), "nothing stood between it and its clamp"
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(chain(image), before)
        assert torch.equal(chain(image), exactly)


def test_a_torch_without_the_operation_goes_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Identity(), nn.ReLU6()).eval()

    def changed(*_: object) -> None:
        raise RuntimeError("unknown argument")

    monkeypatch.setattr(torch.ops.mkldnn, "_convolution_pointwise", changed)
    join_clamps(chain)
    assert isinstance(chain[0], nn.Conv2d)


def test_it_is_quick_by_itself_where_the_machine_is() -> None:
    automatic = Screener(load_classifier("mobilenet_v2"))
    assert automatic.quick is has_bfloat16(torch.device("cpu"))
