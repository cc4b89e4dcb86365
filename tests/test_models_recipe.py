from __future__ import annotations

from pathlib import Path

import pytest

import models.recipe
from models.networks.registry import NETWORKS, dotted_name
from models.recipe import list_recipes, name_recipe, read_recipe
from screening.errors import TrainingError

MINIMAL = 'name = "mine"\nnetwork = "models.networks.mobilenet_v2.MobileNetV2"\n'


def test_every_shipped_recipe_reads() -> None:
    assert "mobilenet_v2" in list_recipes()
    for name in list_recipes():
        # A recipe for more of the same model carries on its name.
        assert name.startswith(read_recipe(name).name)


def test_every_shipped_recipe_names_a_network_that_can_be_built() -> None:
    for name in list_recipes():
        recipe = read_recipe(name)
        assert dotted_name(recipe.network) in NETWORKS


def test_every_published_network_has_a_recipe() -> None:
    trained = {dotted_name(read_recipe(name).network) for name in list_recipes()}
    assert trained == set(NETWORKS)


def test_a_file_may_leave_out_what_has_a_default(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL + "[[optimisation.cycles]]\nepochs = 3\nlearning_rate = 1e-3\n")
    recipe = read_recipe(path)
    assert recipe.optimisation.epochs == 3
    assert recipe.input.size == 384


def test_a_card_changes_nothing_that_the_weights_depend_on(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    plain = read_recipe(path).as_dict()
    path.write_text(MINIMAL + '[card]\nlimits = ["none"]\n')
    recipe = read_recipe(path)
    assert recipe.card.limits == ("none",)
    assert recipe.as_dict() == plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINIMAL + "epohcs = 3\n", "epohcs"),
        (MINIMAL + "[optimisation]\nepohcs = 3\n", "epohcs"),
        (MINIMAL + "[optimisation]\nbatch = 1\n", "batch"),
        (MINIMAL + "[optimisation]\ncycles = []\n", "cycle"),
        (MINIMAL + "[[optimisation.cycles]]\nepochs = 0\nlearning_rate = 1\n", "epochs"),
        (MINIMAL + '[optimisation]\nprecision = "half"\n', "precision"),
        (MINIMAL + "[input]\nsize = 300\n", "multiple of 32"),
        (MINIMAL + "[loss]\ntop_share = 0\n", "top_share"),
        (MINIMAL + 'initial = "imagenet"\n', "initial"),
        ('name = "a b/c"\nnetwork = "x"\n', "name"),
        ('name = "x"', "network"),
        ("not toml", "recipe"),
        ('name = "x"\nnetwork = "y"\noptimisation = 3\n', "optimisation"),
        (MINIMAL + '[[optimisation.cycles]]\nepochs = "many"\n', "epochs"),
        (MINIMAL + "[[optimisation.cycles]]\nepochs = 1\nlearning_rate = nan\n", "nan"),
        (MINIMAL + "[[optimisation.cycles]]\nepochs = 1\nlearning_rate = 1e300\n", "learning"),
        (MINIMAL + "[optimisation]\nweight_decay = -inf\n", "-inf"),
        (MINIMAL + "[optimisation]\nnormals_per_fracture = 1e999\n", "1e999"),
        (MINIMAL + "seed = -1\n", "seed"),
        (MINIMAL + "[loss]\ncells_weight = -0.5\n", "cells_weight"),
        (MINIMAL + "[augmentation]\nmirror = 7\n", r"mirror must lie in \[0, 1\]"),
        (MINIMAL + "[augmentation]\ngrow = 1e9\n", "grow"),
        (MINIMAL + "[augmentation]\nnoise = -0.1\n", "noise"),
        (MINIMAL + "[augmentation]\nrotation_degrees = 360\n", "rotation_degrees"),
    ],
)
def test_a_wrong_recipe_is_refused_by_the_name_of_what_is_wrong(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(TrainingError, match=said):
        read_recipe(path)


def test_an_unknown_recipe_is_answered_with_the_known_ones() -> None:
    with pytest.raises(TrainingError, match="mobilenet_v2"):
        read_recipe("resnet5000")


def test_a_shipped_recipe_is_named_alike_however_it_is_asked_for(tmp_path: Path) -> None:
    shipped = Path(models.recipe.__file__).parent / "recipes"
    assert name_recipe("resnet18") == "resnet18"
    assert name_recipe(shipped / "resnet18.toml") == "resnet18"
    assert name_recipe(tmp_path / "resnet18.toml") == str(tmp_path / "resnet18.toml")
