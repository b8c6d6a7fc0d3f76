"""The keys of hydra/sweeper=optuna."""

import pytest

from engine.errors import UserError
from engine.request import Pruning
from engine.search import settings

KEYS = {
    "_target_": "x",
    "n_trials": 20,
    "n_jobs": 1,
    "seed": None,
    "prune_by": None,
    "prune_direction": None,
    "sampler": {"name": "tpe", "n_startup_trials": 3},
    "pruner": {"name": "median", "n_warmup_steps": 2},
}


def test_the_sampler_has_its_options():
    found = settings.wanted(KEYS)
    assert (found.sampler, found.options) == ("tpe", {"n_startup_trials": 3})
    assert found.pruning is None


@pytest.mark.parametrize(
    ("curve", "given", "direction"),
    [
        ("train.val_accuracy", None, "maximise"),
        ("train.val_loss", None, "minimise"),
        ("train.perplexity", "minimise", "minimise"),
    ],
)
def test_the_name_of_the_curve_decides_unless_a_direction_is_given(curve, given, direction):
    found = settings.pruning({**KEYS, "prune_by": curve, "prune_direction": given})
    stage, metric = curve.split(".")
    assert found == Pruning(stage, metric, direction, "median", {"n_warmup_steps": 2})


def test_a_stage_of_a_foreach_may_be_named():
    found = settings.pruning({**KEYS, "prune_by": "train@0.loss"})
    assert (found.stage, found.metric) == ("train@0", "loss")


def test_without_a_pruner_nothing_is_pruned():
    assert settings.pruning({**KEYS, "prune_by": "a.b", "pruner": {"name": "none"}}) is None


def test_a_curve_without_a_stage_is_refused():
    with pytest.raises(UserError, match="STAGE"):
        settings.wanted({**KEYS, "prune_by": "val_accuracy"})


@pytest.mark.parametrize(
    ("key", "value"), [("n_trials", 0), ("n_jobs", "many"), ("seed", -1), ("prune_direction", "up")]
)
def test_wrong_values_are_refused(key, value):
    with pytest.raises(ExceptionGroup) as caught:
        settings.wanted({**KEYS, key: value})
    (mistake,) = caught.value.exceptions
    assert mistake.where == f"hydra.sweeper: {key}" and mistake.fix
