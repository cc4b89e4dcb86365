from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from labelled_sets import film
from PIL import Image, ImageDraw, ImageFont
from reading_room import Room
from sklearn.metrics import roc_auc_score

from models.acquainting import kept_shares
from models.bundle import CARD, FAMILIARITY, METADATA, find_bundle, read_bundle
from models.bundle_settings import settings_digest
from models.classifier import Classifier, load_classifier
from models.dataset import unit_range
from models.familiarity import Acquaintance, Taps, choose_taps, describe, pool
from models.networks.registry import NETWORKS, build_network
from models.recording import fit_familiarity, record_kept
from models.strangers import draw_strangers
from phantoms.load import small_study
from screening.dicom.pixels import read_pixels
from screening.domain.reason import Reason
from screening.errors import BundleError
from screening.settings import Settings


@pytest.fixture(scope="module")
def bones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled set of drawn bones."""
    folder = tmp_path_factory.mktemp("bones")
    index = ["path,label,split,group"]
    for number in range(60):
        split = ("train", "train", "val")[number % 3]
        film(number).save(folder / f"{number}.png")
        label = "fractured" if number % 2 else "not_fractured"
        index.append(f"{number}.png,{label},{split},{number}")
    (folder / "index.csv").write_text("\n".join(index))
    return folder


@pytest.fixture(scope="module")
def acquainted(bones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped weights on a small square, acquainted with the drawn bones alone."""
    copied = tmp_path_factory.mktemp("bundles") / "acquainted"
    bundle = Path(shutil.copytree(find_bundle("mobilenet_v2"), copied))
    edit(bundle, lambda own: own["input"].update(size=96))
    fit_familiarity(bundle, bones)
    return bundle


def edit(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the nightread part, as somebody who knows of no digest would."""
    metadata = json.loads((bundle / METADATA).read_text())
    own = metadata["nightread"]
    own.pop("settings_sha256", None)
    change(own)
    (bundle / METADATA).write_text(json.dumps(metadata))


@pytest.fixture
def copy(acquainted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(acquainted, tmp_path / "copy"))


def other_bones() -> Iterator[np.ndarray]:
    for number in range(500, 520):
        yield unit_range(np.asarray(film(number, (200, 260))))


def strangers() -> Iterator[np.ndarray]:
    yield from map(unit_range, draw_strangers(5, seed=99))


def test_bones_of_the_kind_are_kept_and_what_is_no_radiograph_is_not(acquainted: Path) -> None:
    classifier = load_classifier(acquainted)
    shares = kept_shares(classifier, {"bones": other_bones(), "strangers": strangers()})
    # Strips on a dark ground are not far from shapes, and these are few and small.
    assert shares["bones"] >= 0.8
    assert shares["strangers"] <= shares["bones"] - 0.2
    near, far = (
        [item.familiarity.strangeness for item in scored if item.familiarity is not None]
        for scored in (
            classifier.score([classifier.prepare(pixels) for pixels in kind()])
            for kind in (other_bones, strangers)
        )
    )
    labels = [0] * len(near) + [1] * len(far)
    assert roc_auc_score(labels, near + far) > 0.85


def test_a_score_is_the_same_with_and_without_the_meter(acquainted: Path, copy: Path) -> None:
    edit(copy, lambda own: own.pop("familiarity"))
    knowing, ignorant = load_classifier(acquainted), load_classifier(copy)
    images = [knowing.prepare(pixels) for pixels in other_bones()][:3]
    pairs = zip(knowing.score(images), ignorant.score(images), strict=True)
    for with_meter, without in pairs:
        assert with_meter.probability == without.probability
        assert with_meter.familiarity is not None
        assert without.familiarity is None
        assert not without.unlike


def test_strangeness_does_not_depend_on_the_neighbours(acquainted: Path) -> None:
    classifier = load_classifier(acquainted)
    images = [classifier.prepare(pixels) for pixels in (*other_bones(), *strangers())][::7]
    together = [item.familiarity for item in classifier.score(images)]
    alone = [classifier.score([image])[0].familiarity for image in images]
    for one, two in zip(together, alone, strict=True):
        assert one is not None
        assert two is not None
        assert one.strangeness == pytest.approx(two.strangeness, abs=1e-2)


def test_several_orientations_are_measured_once(copy: Path, acquainted: Path) -> None:
    edit(copy, lambda own: own["input"].update(orientations=4))
    image = next(other_bones())
    found = [load_classifier(path) for path in (copy, acquainted)]
    turned, straight = (c.score([c.prepare(image)])[0].familiarity for c in found)
    assert turned is not None
    assert straight is not None
    assert turned.strangeness == pytest.approx(straight.strangeness, abs=1e-2)


def test_a_flat_image_is_measured_too(acquainted: Path) -> None:
    classifier = load_classifier(acquainted)
    (found,) = classifier.score([classifier.prepare(np.zeros((80, 90), np.float32))])
    assert found.familiarity is not None
    assert np.isfinite(found.familiarity.strangeness)


def test_the_file_is_small_and_covered_by_its_digest(copy: Path) -> None:
    content = (copy / FAMILIARITY).read_bytes()
    assert len(content) < 1_000_000
    assert read_bundle(copy).settings.familiarity is not None
    (copy / FAMILIARITY).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match=r"familiarity.*SHA-256.*restore"):
        load_classifier(copy)
    (copy / FAMILIARITY).unlink()
    with pytest.raises(BundleError, match="familiarity"):
        load_classifier(copy)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no safetensors",
        Acquaintance((), np.zeros(3, np.float32), np.zeros(1, np.float32)).save(),
    ],
)
def test_a_file_that_does_not_fit_is_refused(copy: Path, content: bytes) -> None:
    (copy / FAMILIARITY).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit(copy, lambda own: own["familiarity"].update(sha256=digest))
    with pytest.raises(BundleError, match="does not fit"):
        load_classifier(copy)


@pytest.mark.parametrize(
    "change",
    [{"bias": torch.zeros(7)}, {"0.left_over": torch.zeros(1)}, {"bias": torch.ones(1).bfloat16()}],
)
def test_a_file_that_gives_no_number_is_refused(change: dict[str, torch.Tensor]) -> None:
    depth = describe(np.random.default_rng(1).normal(size=(40, 6)).astype(np.float32), 3)
    content = Acquaintance((depth,), np.ones(5, np.float32), np.zeros(1, np.float32)).save()
    assert Acquaintance.load(content, 1).depths[0].centre.shape == (6,)
    with pytest.raises(ValueError, match="it "):
        Acquaintance.load(safetensors.torch.save(safetensors.torch.load(content) | change), 1)


def test_a_tap_that_the_network_has_not_is_refused(copy: Path) -> None:
    edit(copy, lambda own: own["familiarity"].update(taps=["features.99", "features.18"]))
    with pytest.raises(BundleError, match="does not fit"):
        load_classifier(copy)


def test_taps_in_another_order_are_refused_at_load_and_not_with_the_first_patient(
    copy: Path,
) -> None:
    edit(copy, lambda own: own["familiarity"]["taps"].reverse())
    with pytest.raises(BundleError, match="cannot score an image"):
        load_classifier(copy)


def test_a_fit_is_sealed_repeated_and_on_the_card(copy: Path, bones: Path) -> None:
    before = read_bundle(copy).metadata["nightread"]
    assert before["settings_sha256"] == settings_digest(before)
    fit_familiarity(copy, bones)
    assert read_bundle(copy).settings.familiarity == read_bundle(copy).settings.familiarity
    assert read_bundle(copy).metadata["nightread"] == before, "the same data, the same fit"
    record_kept(copy, {"drawn bones": 0.9876, "photographs": 0.1})
    card = (copy / CARD).read_text()
    assert "drawn bones 98.8%, photographs 10.0%" in card
    assert "unlike the training" in card
    assert load_classifier(copy).identity.digest == read_bundle(copy).settings.weights_sha256


def test_a_bundle_without_it_abstains_never(copy: Path) -> None:
    edit(copy, lambda own: own.pop("familiarity"))
    classifier = load_classifier(copy)
    assert not any(p.unlike for p in classifier.score([classifier.prepare(next(strangers()))]))
    with pytest.raises(BundleError, match="fit_familiarity"):
        kept_shares(classifier, {"strangers": strangers()})


@pytest.mark.parametrize("target", NETWORKS)
def test_every_network_has_taps(target: str) -> None:
    network = build_network(target, {}).eval()
    taps = choose_taps(network, 224)
    assert 1 <= len(taps) <= 2
    with Taps(network, taps) as heard, torch.inference_mode():
        network(torch.zeros(2, 1, 224, 224))
    assert [len(pooled) for pooled in heard.pooled()] == [2] * len(taps)
    assert not any(module._forward_hooks for module in network.modules()), "it is left as it was"


def test_a_pool_is_the_mean_and_the_spread_of_each_channel() -> None:
    maps = torch.tensor([[[[1.0, 3.0], [1.0, 3.0]], [[5.0, 5.0], [5.0, 5.0]]]])
    assert pool(maps).tolist() == [[2.0, 5.0, 1.0, 0.0]]


def test_coordinates_are_lengths_of_one_within_and_more_without() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 12))
    known = (rng.normal(size=(500, 4)) @ mixing).astype(np.float32)
    depth = describe(known, 4)
    inside = depth.coordinates(known)[:, -2:] / 10
    assert np.sqrt((inside[:, 0] ** 2).mean()) == pytest.approx(1, abs=0.01)
    # What no training film had: a step out of the plane that all of them lie in.
    aside = known[:1] + rng.normal(size=(1, 12)).astype(np.float32)
    assert depth.coordinates(aside)[0, -1] > 100 * inside[:, 1].max()


@pytest.mark.parametrize("abstain", [True, False])
def test_the_pipeline_abstains_with_the_reason_unless_told_not_to(
    settings: Settings, acquainted: Path, copy: Path, abstain: bool
) -> None:
    # Nothing is familiar to this one.
    edit(copy, lambda own: own["familiarity"].update(limit=1e-6))
    strange = Classifier.from_bundle(read_bundle(copy))
    room = Room(settings.model_copy(update={"abstain_unlike": abstain}), strange)
    images = list(small_study(1, images=2))
    room.pipeline().screen(room.receive(*images))
    dossier = room.dossier(images[0])
    for image in dossier.images:
        if abstain:
            assert image.exclusion is not None
            assert image.exclusion.reason is Reason.UNLIKE_TRAINING
            assert "the limit is 0.00" in image.exclusion.detail
        else:
            (score,) = image.scores
            assert score.strangeness is not None
            assert score.strangeness > (score.strangeness_limit or 0)
    assert dossier.case.reasons == ({"unlike_training": 2} if abstain else {})
    room.records.close()


def test_strangers_are_the_same_for_the_same_seed() -> None:
    once, again = list(draw_strangers(1, seed=3)), list(draw_strangers(1, seed=3))
    assert len(once) == 8
    for one, two in zip(once, again, strict=True):
        assert one.dtype == np.uint8
        assert np.array_equal(one, two)
    assert Image.fromarray(once[0]).mode == "L"


def _page() -> Image.Image:
    page = Image.new("L", (700, 900), 255)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(16)
    for line in range(40, 860, 22):
        pen.text((40, line), "neither bone nor film, but words " * 2, fill=0, font=font)
    return page


def _clouds() -> Image.Image:
    small = np.random.default_rng(5).integers(0, 256, (12, 12)).astype(np.uint8)
    return Image.fromarray(small).resize((700, 700), Image.Resampling.BICUBIC)


def _board() -> Image.Image:
    return Image.fromarray((np.indices((512, 512)).sum(0) // 32 % 2 * 255).astype(np.uint8))


@pytest.mark.parametrize("draw", [_page, _clouds, _board])
def test_the_shipped_classifier_finds_what_is_no_film_unlike(
    draw: Callable[[], Image.Image],
) -> None:
    classifier = load_classifier("mobilenet_v2")
    picture = unit_range(np.asarray(draw()))
    assert classifier.score([classifier.prepare(picture)])[0].unlike


@pytest.mark.parametrize("name", ["RG2_J2KR", "RG3_J2KR"])
def test_the_shipped_classifier_knows_a_leg_of_another_hospital(test_data: Path, name: str) -> None:
    path = next((test_data / "dicom").rglob(f"{name}*"))
    classifier = load_classifier("mobilenet_v2")
    assert not classifier.score([classifier.prepare(read_pixels(path))])[0].unlike
