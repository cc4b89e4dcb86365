from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.bundle import (
    CARD,
    METADATA,
    NETWORK,
    WEIGHTS,
    find_bundle,
    list_bundles,
    read_bundle,
    settings_digest,
)
from models.card import render_card
from models.classifier import load_classifier
from models.recording import record_figures, record_kept
from screening.errors import BundleError


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the shipped bundle, to be spoiled."""
    return Path(shutil.copytree(find_bundle("mobilenet_v2"), tmp_path / "copy"))


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def seal(bundle: Path) -> None:
    own = json.loads((bundle / METADATA).read_text())["nightread"]
    own.pop("settings_sha256", None)
    digest = settings_digest(own)
    edit(bundle / METADATA, lambda value: value["nightread"].update(settings_sha256=digest))


def swap_weights(bundle: Path, content: bytes) -> None:
    """Other weights, with the metadata that says they are right."""
    (bundle / WEIGHTS).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit(bundle / METADATA, lambda value: value["nightread"].update(weights_sha256=digest))
    seal(bundle)


def test_the_shipped_bundle_is_listed_and_loads_by_name_and_by_path(bundle: Path) -> None:
    summary = next(item for item in list_bundles() if item.name == "mobilenet_v2")
    by_name, by_path = load_classifier("mobilenet_v2"), load_classifier(str(bundle))
    assert by_name.identity == by_path.identity
    assert by_name.identity.digest == summary.digest
    assert summary.description


def test_listing_bundles_loads_no_torch() -> None:
    code = (
        "import sys; from models.bundle import list_bundles, read_bundle; list_bundles();"
        "read_bundle('mobilenet_v2').read_weights();"
        "sys.exit('torch' in sys.modules or 'monai' in sys.modules)"
    )
    root = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


def test_the_card_says_what_the_metadata_says() -> None:
    for summary in list_bundles():
        metadata = json.loads((summary.path / METADATA).read_text())
        assert (summary.path / CARD).read_text() == render_card(metadata)


def test_the_card_holds_the_figures_and_the_warnings() -> None:
    card = (find_bundle("mobilenet_v2") / CARD).read_text()
    metadata = json.loads((find_bundle("mobilenet_v2") / METADATA).read_text())
    assert "not a diagnostic device" in card
    assert "10.1038/s41597-023-02432-4" in card
    figures = metadata["nightread"]["figures"]
    assert len(figures) >= 3
    for name, item in figures.items():
        assert name in card
        assert f"{item['auc']['value']:.3f} [{item['auc']['low']:.3f}" in card


@pytest.mark.parametrize("figures", [[1], {"a set": {"images": 3}}, {"a set": None}])
def test_metadata_that_no_card_can_be_drawn_from_stay_as_they_are(
    bundle: Path, figures: object
) -> None:
    metadata = json.loads((bundle / METADATA).read_text())
    metadata["nightread"]["figures"] = figures
    (bundle / METADATA).write_text(json.dumps(metadata))
    before = (bundle / METADATA).read_bytes(), (bundle / CARD).read_bytes()
    with pytest.raises(BundleError, match=r"metadata\.json"):
        record_kept(bundle, {"drawn bones": 0.5})
    with pytest.raises(BundleError, match=r"metadata\.json"):
        record_figures(bundle, {})
    assert before == ((bundle / METADATA).read_bytes(), (bundle / CARD).read_bytes())


def test_a_name_that_is_no_bundle_is_answered_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"NIGHTREAD_MODEL.*mobilenet_v2"):
        load_classifier("resnet5000")
    with pytest.raises(BundleError, match="NIGHTREAD_MODEL"):
        load_classifier(str(tmp_path))


def test_altered_weights_are_refused(bundle: Path) -> None:
    content = bytearray((bundle / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (bundle / WEIGHTS).write_bytes(content)
    with pytest.raises(BundleError, match=r"SHA-256.*restore"):
        load_classifier(str(bundle))


@pytest.mark.parametrize("missing", [NETWORK, WEIGHTS])
def test_a_missing_file_is_named(bundle: Path, missing: Path) -> None:
    (bundle / missing).unlink()
    with pytest.raises(BundleError, match=missing.name):
        load_classifier(str(bundle))


@pytest.mark.parametrize(
    "target", ["os.system", "builtins.eval", "models.networks.mobilenet_v2.CellHead", "subprocess"]
)
def test_a_target_that_is_not_on_the_list_is_never_called(
    bundle: Path, target: str, tmp_path: Path
) -> None:
    evil = {"_target_": target, "command": f"touch {tmp_path / 'ran'}"}
    edit(bundle / NETWORK, lambda value: value.update(network_def=evil))
    with pytest.raises(BundleError, match="only its own networks"):
        load_classifier(str(bundle))
    assert not (tmp_path / "ran").exists()


def test_arguments_that_the_network_does_not_take_are_refused(bundle: Path) -> None:
    edit(bundle / NETWORK, lambda value: value["network_def"].update(depth=3))
    with pytest.raises(BundleError, match="arguments"):
        load_classifier(str(bundle))


@pytest.mark.parametrize("definition", [None, [], {}, {"_target_": 3}])
def test_a_bundle_without_a_network_is_refused(bundle: Path, definition: object) -> None:
    edit(bundle / NETWORK, lambda value: value.update(network_def=definition))
    with pytest.raises(BundleError, match="_target_"):
        load_classifier(str(bundle))


def test_weights_in_a_pickle_are_refused(bundle: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    torch.save({"features.0.0.weight": torch.zeros(1)}, pickled)
    swap_weights(bundle, pickled.read_bytes())
    with pytest.raises(BundleError, match="does not hold the weights"):
        load_classifier(str(bundle))


def test_missing_surplus_and_misshapen_tensors_are_refused(bundle: Path) -> None:
    whole = safetensors.torch.load((bundle / WEIGHTS).read_bytes())
    first = "features.0.0.weight"
    for spoiled in (
        {name: value for name, value in whole.items() if name != first},
        whole | {"surplus": torch.zeros(1)},
        whole | {first: torch.zeros(1)},
    ):
        swap_weights(bundle, safetensors.torch.save(spoiled))
        with pytest.raises(BundleError, match="does not hold the weights"):
            load_classifier(str(bundle))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", "[" * 100_000])
@pytest.mark.parametrize("name", [METADATA, NETWORK])
def test_what_is_not_a_json_object_is_refused(bundle: Path, name: Path, text: str) -> None:
    (bundle / name).write_text(text)
    with pytest.raises(BundleError, match=name.name):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("operating_points", None),
        ("operating_points", {"high_sensitivity": 0.9, "high_specificity": 0.1}),
        ("operating_points", {"high_sensitivity": 0.1}),
        ("operating_points", {"high_sensitivity": 0.1, "high_specificity": "high"}),
        ("calibration", {"image": 1, "top": 1}),
        ("calibration", {"image": 1, "top": 1, "bias": "NaN"}),
        ("input", {"size": 100, "lower": 1, "upper": 99}),
        ("input", {"size": 64_000, "lower": 1, "upper": 99}),
        ("top_share", 0),
        ("familiarity", {"sha256": "", "taps": [], "limit": 1.0, "kept": 1.0}),
        ("familiarity", {"sha256": "", "taps": ["features.6"], "limit": "NaN", "kept": 1.0}),
        ("settings_sha256", "of something else"),
        ("weights_sha256", None),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(
    bundle: Path, where: str, value: object
) -> None:
    edit(bundle / METADATA, lambda metadata: metadata["nightread"].update({where: value}))
    with pytest.raises(BundleError, match="nightread"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("operating_points", {"high_sensitivity": 0.01}),
        ("calibration", {"bias": 0.5}),
        ("input", {"lower": 0.5}),
    ],
)
def test_an_edited_threshold_is_noticed(bundle: Path, part: str, change: dict[str, Any]) -> None:
    seal(bundle)
    assert read_bundle(bundle).settings.settings_sha256
    edit(bundle / METADATA, lambda value: value["nightread"][part].update(change))
    with pytest.raises(BundleError, match=r"threshold.*restore"):
        load_classifier(bundle)


def test_what_is_said_to_people_may_be_added_to_a_sealed_bundle(bundle: Path) -> None:
    seal(bundle)
    edit(bundle / METADATA, lambda value: value["nightread"]["limits"].append("Left hands."))
    edit(bundle / METADATA, lambda value: value.update(description="Another."))
    assert load_classifier(bundle).identity == load_classifier("mobilenet_v2").identity


def test_a_bundle_of_before_thresholds_had_a_digest_loads(bundle: Path) -> None:
    edit(bundle / METADATA, lambda value: value["nightread"].pop("settings_sha256", None))
    assert read_bundle(bundle).settings.settings_sha256 is None
    assert load_classifier(bundle).identity.name == "mobilenet_v2"


@pytest.mark.parametrize("key", ["name", "version", "nightread"])
def test_metadata_without_what_a_score_is_filed_under_is_refused(bundle: Path, key: str) -> None:
    edit(bundle / METADATA, lambda metadata: metadata.pop(key))
    with pytest.raises(BundleError, match=key):
        read_bundle(bundle)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
KEYS = ("weights_sha256", "input", "top_share", "calibration", "operating_points")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)) | JSON)
def test_any_json_is_refused_or_understood(
    tmp_path_factory: pytest.TempPathFactory, own: object
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    shutil.copy(find_bundle("mobilenet_v2") / NETWORK, folder / NETWORK)
    metadata = {"name": "x", "version": "1", "nightread": own}
    (folder / METADATA).write_text(json.dumps(metadata))
    with pytest.raises(BundleError):
        read_bundle(folder)


def test_reading_a_bundle_loads_no_torch() -> None:
    """The console, ``doctor`` and the worker's first process check a bundle without it."""
    program = (
        "import sys; from models.bundle import read_bundle; "
        "read_bundle('mobilenet_v2').read_weights(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
