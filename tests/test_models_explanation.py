from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from explained_films import Watcher, classifier_of, patch_in, striped
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.visualize import GradCAM
from torch import Tensor, nn

from models.classifier import Classifier, load_classifier
from models.explanation.faithfulness import faithfulness
from models.explanation.grad_cam import attend
from models.explanation.heatmap import Heatmap
from models.explanation.method import Method, explain
from models.networks.logits import FractureLogits
from models.networks.registry import SHORT_NAMES, build_network
from models.transforms import PreparedImage
from screening.errors import BundleError

ROWS, COLUMNS = slice(9, 13), slice(5, 9)
SHAPES = [(128, 128), (256, 160), (150, 300), (90, 60)]
PASSES = {Method.CELLS: 1, Method.GRADCAM: 1, Method.OCCLUSION: 200, Method.LIME: 400}


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return load_classifier("mobilenet_v2")


def square(height: int = 64, width: int = 64, side: int = 64) -> PreparedImage:
    return PreparedImage(
        torch.zeros(1, side, side), (side - width) // 2, (side - height) // 2, width, height
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("method", Method)
def test_every_method_finds_the_patch_that_decides(method: Method, shape: tuple[int, int]) -> None:
    classifier = classifier_of(Watcher(ROWS, COLUMNS))
    prepared = classifier.prepare(striped(*shape))
    heatmap = explain(classifier, prepared, method, PASSES[method])
    assert heatmap.grid.shape == (prepared.height, prepared.width)
    assert heatmap.grid.dtype == np.float32
    point = heatmap.hottest()
    assert point is not None
    # Windows of occlusion and superpixels of LIME may stick out of the patch.
    coarse = method in (Method.OCCLUSION, Method.LIME)
    assert patch_in(ROWS, COLUMNS, *shape, slack=8 if coarse else 0)(*point)


def test_cells_are_averaged_over_the_orientations_that_the_score_is(shipped: Classifier) -> None:
    assert shipped.orientations == 2
    film = np.random.default_rng(4).random((96, 96), np.float32)
    straight, mirrored = (
        explain(shipped, shipped.prepare(pixels), Method.CELLS).grid
        for pixels in (film, np.ascontiguousarray(film[:, ::-1]))
    )
    np.testing.assert_allclose(straight, mirrored[:, ::-1], atol=1e-3)
    assert np.abs(straight - straight[:, ::-1]).max() > 1e-2


@pytest.mark.parametrize("method", [Method.CELLS, Method.GRADCAM, Method.OCCLUSION])
def test_the_score_falls_sooner_by_the_heatmap_than_by_chance(method: Method) -> None:
    classifier = classifier_of(Watcher(ROWS, COLUMNS))
    prepared = classifier.prepare(striped(256, 200))
    heatmap = explain(classifier, prepared, method, 100)
    for seed in range(3):
        found = faithfulness(classifier, prepared, heatmap, seed=seed)
        assert found.deletion < found.random_deletion
        assert found.insertion > found.random_insertion
        assert found.deletion < found.insertion
        assert found.hottest_drop > 0.1
        assert found.hottest_drop > found.random_drop


def test_a_heatmap_of_the_wrong_place_is_worse_than_chance() -> None:
    classifier = classifier_of(Watcher(ROWS, COLUMNS))
    prepared = classifier.prepare(striped(128, 128))
    right = explain(classifier, prepared, Method.GRADCAM)
    wrong = Heatmap.of(1 - right.grid)
    found = faithfulness(classifier, prepared, wrong)
    assert found.deletion > found.random_deletion
    assert found.insertion < found.random_insertion


def test_the_same_seed_gives_the_same_figures() -> None:
    classifier = classifier_of(Watcher(ROWS, COLUMNS))
    prepared = classifier.prepare(striped(128, 100))
    heatmap = explain(classifier, prepared, Method.GRADCAM)
    one, two, other = (
        faithfulness(classifier, prepared, heatmap, steps=4, seed=seed) for seed in (1, 1, 2)
    )
    assert one == two
    assert one.random_deletion != other.random_deletion


@pytest.mark.parametrize("method", Method)
def test_a_network_that_looks_nowhere_has_a_cold_heatmap(method: Method) -> None:
    network = Watcher(ROWS, COLUMNS, gain=0.0)
    with torch.no_grad():
        network.detail.mask.zero_()
    classifier = classifier_of(network)
    prepared = classifier.prepare(striped(100, 70))
    heatmap = explain(classifier, prepared, method, PASSES[method] // 4 or 1)
    assert np.isfinite(heatmap.grid).all()
    if method == Method.CELLS:
        # Each cell says that a fracture is as unlikely here as there.
        assert np.ptp(heatmap.grid) < 1e-6
    else:
        assert heatmap.grid.max() == 0
        assert heatmap.hottest() is None
    found = faithfulness(classifier, prepared, heatmap, steps=2)
    assert found.hottest_drop == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("method", [Method.OCCLUSION, Method.LIME])
def test_passes_are_counted_and_kept_to(method: Method) -> None:
    classifier = classifier_of(Watcher(ROWS, COLUMNS))
    prepared = classifier.prepare(striped(100, 70))
    told: list[tuple[int, int]] = []
    explain(classifier, prepared, method, 40, lambda done, total: told.append((done, total)))
    done, total = told[-1]
    assert done == total <= 40
    assert [before for before, _ in told] == sorted(before for before, _ in told)


@pytest.mark.parametrize(("method", "passes"), [(Method.OCCLUSION, 4), (Method.LIME, 0)])
def test_too_few_passes_are_refused(method: Method, passes: int) -> None:
    classifier = classifier_of(Watcher(ROWS, COLUMNS))
    with pytest.raises(ValueError, match="at least"):
        explain(classifier, classifier.prepare(striped(64, 64)), method, passes)


def test_lime_leaves_the_state_of_chance_as_it_was() -> None:
    classifier = classifier_of(Watcher(ROWS, COLUMNS))
    prepared = classifier.prepare(striped(64, 64))
    before = torch.random.get_rng_state()
    one, two = (explain(classifier, prepared, Method.LIME, 40).grid for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(one, two)


def test_a_network_without_a_map_has_no_cells() -> None:
    classifier = classifier_of(Watcher(ROWS, COLUMNS, has_cells=False))
    with pytest.raises(BundleError, match="no map of cells: use the method gradcam"):
        explain(classifier, classifier.prepare(striped(64, 64)), Method.CELLS)


def test_a_network_that_names_no_layer_has_no_grad_cam() -> None:
    class Blind(nn.Module):
        def forward(self, images: Tensor) -> FractureLogits:
            return FractureLogits(images.mean((1, 2, 3)), None)

    with pytest.raises(BundleError, match="names no layer"):
        attend(Blind(), torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize("name", SHORT_NAMES)
def test_every_network_on_the_list_has_grad_cam(name: str) -> None:
    sized = {"sequential_cnn": {"size": 64}, "custom_cnn": {"size": 64}}
    torch.manual_seed(0)
    network = build_network(SHORT_NAMES[name], sized.get(name, {})).eval().requires_grad_(False)
    images = torch.rand(2, 1, 64, 64) * 2 - 1
    before = network(images).image
    found = attend(network, images)
    assert found.activations.shape == found.gradients.shape
    assert found.activations.shape[0] == 2
    assert found.gradients.abs().sum() > 0
    maps = found.grad_cam()
    assert maps.ndim == 3
    assert torch.isfinite(maps).all()
    assert (maps >= 0).all()
    # The network is left as it was.
    assert torch.equal(network(images).image, before)
    assert not network(images).image.requires_grad


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "densenet121", "efficientnet_b0"])
def test_behind_a_mean_and_a_linear_layer_grad_cam_is_the_class_activation_map(name: str) -> None:
    torch.manual_seed(1)
    network = build_network(SHORT_NAMES[name], {}).eval().requires_grad_(False)
    images = torch.rand(1, 1, 64, 64) * 2 - 1
    head = next(m for m in reversed(list(network.modules())) if _is_last(m))
    weight = head.weight[1] - head.weight[0] if len(head.weight) == 2 else head.weight[0]
    found = attend(network, images)
    cam = (weight[:, None, None] * found.activations[0]).sum(0).relu()
    cells = found.activations.shape[2] * found.activations.shape[3]
    torch.testing.assert_close(found.grad_cam()[0] * cells, cam, rtol=1e-3, atol=1e-5)


def _is_last(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) and module.out_features <= 2


def test_grad_cam_is_that_of_monai(shipped: Classifier) -> None:
    class Logit(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.network(images).image
            return logits[:, None]

    images = torch.rand(1, 1, 128, 128) * 2 - 1
    own = attend(shipped.network, images).grad_cam()
    network = load_classifier("mobilenet_v2").network
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = GradCAM(Logit(network), "network.features.18").compute_map(
            images.clone().requires_grad_(), class_idx=0
        )
    torch.testing.assert_close(own, theirs[:, 0].detach(), rtol=1e-3, atol=1e-6)


def test_an_in_place_activation_behind_the_layer_changes_nothing() -> None:
    class InPlace(nn.Module):
        def __init__(self, in_place: bool) -> None:
            super().__init__()
            self.attended = nn.Conv2d(1, 4, 3)
            self.after = nn.ReLU(inplace=in_place)
            self.head = nn.Linear(4, 1)

        def forward(self, images: Tensor) -> FractureLogits:
            pooled = self.after(self.attended(images)).mean((2, 3))
            return FractureLogits(self.head(pooled).squeeze(1), None)

    one, two = InPlace(True), InPlace(False)
    two.load_state_dict(one.state_dict())
    images = torch.randn(2, 1, 16, 16)
    first, second = attend(one, images), attend(two, images)
    assert first.activations.min() < 0
    assert torch.equal(first.activations, second.activations)
    assert torch.equal(first.gradients, second.gradients)


@given(
    height=st.integers(1, 64),
    width=st.integers(1, 64),
    values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=16, max_size=16),
)
@settings(max_examples=50, deadline=None)
def test_any_cells_make_a_heatmap_of_the_radiograph_s_shape(
    height: int, width: int, values: list[float]
) -> None:
    heatmap = Heatmap.from_square(
        torch.tensor(values).reshape(4, 4), square(height, width), relative=True
    )
    assert heatmap.grid.shape == (height, width)
    point = heatmap.hottest()
    assert (point is None) == (heatmap.grid.max() == 0)
    if point is not None:
        assert all(0 <= side <= 1 for side in point)


@pytest.mark.parametrize(("height", "width"), [(64, 32), (32, 64)])
@pytest.mark.parametrize("place", [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)])
def test_padding_is_cut_away(height: int, width: int, place: tuple[float, float]) -> None:
    prepared = square(height, width)
    x, y = prepared.left + place[0] * width, prepared.top + place[1] * height
    cells = torch.zeros(16, 16)
    cells[int(y // 4), int(x // 4)] = 1
    # Heat on the padding is not the radiograph's.
    cells[(0, 15), :] = 5.0 if height < width else 0.0
    cells[:, (0, 15)] = 5.0 if height > width else 0.0
    point = Heatmap.from_square(cells, prepared, relative=True).hottest()
    assert point is not None
    assert abs(point[0] - place[0]) <= 4 / width
    assert abs(point[1] - place[1]) <= 4 / height


@pytest.mark.parametrize("grid", [np.full((2, 2), np.nan), np.full((2, 2), 2.0), np.zeros((2, 0))])
def test_what_is_no_heat_is_refused(grid: np.ndarray) -> None:
    with pytest.raises(ValueError, match="heatmap"):
        Heatmap(grid.astype(np.float32))


def test_a_cold_heatmap_leaves_the_radiograph_grey() -> None:
    pixels = striped(40, 30)
    picture = np.asarray(Heatmap(np.zeros((8, 6), np.float32)).over(pixels))
    assert picture.shape == (40, 30, 3)
    assert np.array_equal(picture[..., 0], picture[..., 2])
    assert np.allclose(picture[..., 0] / 255, pixels, atol=1 / 255)


def test_the_overlay_is_coloured_where_it_is_hot() -> None:
    grid = np.zeros((8, 8), np.float32)
    grid[6, 1] = 1
    picture = np.asarray(Heatmap(grid).over(np.full((80, 80), 0.2, np.float32))).astype(int)
    colour = np.ptp(picture, axis=2)
    row, column = np.unravel_index(colour.argmax(), colour.shape)
    assert 55 <= row <= 75
    assert 5 <= column <= 25
    assert colour[:40, 40:].max() == 0
