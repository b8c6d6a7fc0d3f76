"""Optuna's file beside the record of a sweep."""

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from engine import studies
from engine.errors import UserError
from engine.request import Pruning

PRUNING = Pruning("train", "loss", "minimise", "median", {"n_startup_trials": 1})
SPACE = {"x": FloatDistribution(0, 1)}


@pytest.fixture(autouse=True)
def _quiet():
    studies.prepare()


def sampler(trials: int):
    return studies.sampler("random", {}, 7 + trials, {})


def study(folder):
    return studies.search(folder, ["maximise", "minimise"], sampler)


def test_trials_are_there_after_a_restart(tmp_path):
    made = study(tmp_path)
    trial = made.ask(SPACE)
    made.tell(trial, [1.0, 2.0])
    made.ask(SPACE)
    states = [one.state for one in study(tmp_path).get_trials()]
    assert states == [TrialState.COMPLETE, TrialState.RUNNING]


def test_a_restarted_search_does_not_propose_the_same_again(tmp_path):
    first = study(tmp_path).ask(SPACE).params
    assert study(tmp_path).ask(SPACE).params != first


def test_what_a_killed_process_left_in_the_file_is_removed(tmp_path):
    study(tmp_path).ask(SPACE)
    path = tmp_path / studies.FILE
    with path.open("a") as file:
        file.write('{"op_code": 4, "wor')
    path.with_name(f"{studies.FILE}.lock").symlink_to(path)
    studies.mend(tmp_path)
    assert len(study(tmp_path).get_trials()) == 1
    study(tmp_path).ask(SPACE)
    assert len(study(tmp_path).get_trials()) == 2


def test_a_folder_without_the_file_needs_no_mending(tmp_path):
    studies.mend(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_curve_has_its_own_direction(tmp_path):
    for value in (1.0, 2.0):
        trial = studies.pruning(tmp_path, PRUNING).ask()
        trial.report(value, 0)
        is_worse = trial.should_prune()
        trial.study.tell(trial, value)
    assert is_worse


@pytest.mark.parametrize("name", ["tpe", "nsgaii", "random"])
def test_every_sampler_proposes(tmp_path, name):
    made = studies.search(tmp_path, ["maximise"], lambda trials: studies.sampler(name, {}, 1, {}))
    assert 0 <= made.ask(SPACE).params["x"] <= 1


def test_a_grid_proposes_its_values(tmp_path):
    made = studies.search(
        tmp_path, ["maximise"], lambda trials: studies.sampler("grid", {}, 1, {"x": [0.5]})
    )
    assert made.ask(SPACE).params == {"x": 0.5}


@pytest.mark.parametrize("name", ["median", "halving", "hyperband", "none"])
def test_every_pruner_is_made(name):
    assert studies.pruner(name, {})


def test_a_refused_option_is_a_users_mistake():
    with pytest.raises(UserError) as caught:
        studies.pruner("median", {"n_startup_trials": -1})
    assert "median" in caught.value.where and caught.value.fix


def test_without_optuna_the_fix_is_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(UserError) as caught:
        studies.prepare()
    assert caught.value.where == "hydra/sweeper=optuna" and "search" in caught.value.fix
