"""The keys of hydra/sweeper=optuna, as composed, checked and as plain data."""

from collections.abc import Mapping
from typing import Annotated, Any

from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ConfigDict, Field

from engine import fields
from engine.direction import is_minimised
from engine.errors import UserError
from engine.request import Pruning
from engine.search.loop import Wanted
from engine.vocabulary import Direction

_WHERE = "hydra.sweeper"
_NO_PRUNER = "none"


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    n_trials: int = Field(ge=1)
    n_jobs: int = Field(ge=1)
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] | None
    prune_by: str | None
    prune_direction: Direction | None
    sampler: dict[str, Any]
    pruner: dict[str, Any]


def wanted(given: Mapping[str, Any]) -> Wanted:
    """Return what the user asked for; raise every mistake together."""
    keys = _checked(given)
    sampler = dict(keys.sampler)
    return Wanted(
        n_trials=keys.n_trials,
        n_jobs=keys.n_jobs,
        seed=keys.seed,
        sampler=sampler.pop("name"),
        options=sampler,
        pruning=_pruning(keys),
    )


def pruning(given: Mapping[str, Any]) -> Pruning | None:
    """Return how jobs are pruned, or None; a job reads this where it runs."""
    return _pruning(_checked(given))


def _checked(given: Mapping[str, Any]) -> _Keys:
    plain = {
        key: OmegaConf.to_container(value, resolve=True) if isinstance(value, DictConfig) else value
        for key, value in given.items()
        if key in _Keys.model_fields
    }
    return fields.validated(_Keys, plain, "the search is invalid", _WHERE)


def _pruning(keys: _Keys) -> Pruning | None:
    options = dict(keys.pruner)
    name = options.pop("name")
    if keys.prune_by is None or name == _NO_PRUNER:
        return None
    stage, dot, metric = keys.prune_by.rpartition(".")
    if not dot:
        where = f"{_WHERE}.prune_by={keys.prune_by}"
        raise UserError(
            where, "it names no stage", "write STAGE.METRIC, such as train.val_accuracy"
        )
    by_name: Direction = "minimise" if is_minimised(metric, []) else "maximise"
    return Pruning(stage, metric, keys.prune_direction or by_name, name, options)
