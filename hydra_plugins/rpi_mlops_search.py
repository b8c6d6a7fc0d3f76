"""Hydra's entry to the search: `hydra/sweeper=optuna`, with its samplers and pruners.

Hydra finds this file because the namespace package `hydra_plugins` is beside `engine/`. Every
composition imports it, so it must stay light; engine/search/ does the work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import MISSING, DictConfig

_SWEEPER = "hydra/sweeper"
_SAMPLERS: Mapping[str, Mapping[str, Any]] = {
    "tpe": {"n_startup_trials": 10, "n_ei_candidates": 24, "multivariate": None},
    "nsgaii": {"population_size": 50, "crossover_prob": 0.9, "swapping_prob": 0.5},
    "random": {},
    "grid": {},
}
_PRUNERS: Mapping[str, Mapping[str, Any]] = {
    "median": {"n_startup_trials": 5, "n_warmup_steps": 0, "interval_steps": 1},
    "halving": {"min_resource": "auto", "reduction_factor": 4, "min_early_stopping_rate": 0},
    "hyperband": {"min_resource": 1, "max_resource": "auto", "reduction_factor": 3},
    "none": {},
}


@dataclass
class Config:
    """The keys of the sweeper; engine/search/settings.py checks their values."""

    _target_: str = f"{__name__}.OptunaSweeper"
    defaults: list[Any] = field(default_factory=lambda: [{"sampler": "tpe"}, {"pruner": "median"}])
    sampler: Any = MISSING
    pruner: Any = MISSING
    n_trials: Any = 20  # jobs in all
    n_jobs: Any = 1  # jobs that are launched together
    seed: Any = None  # of the sampler
    prune_by: Any = None  # STAGE.METRIC, a curve that the stage reports while it runs
    prune_direction: Any = None  # maximise or minimise; by default, the metric's name decides
    params: dict[str, Any] = field(default_factory=dict)  # key: "interval(0,1)"


class OptunaSweeper(Sweeper):
    """Runs a sweep whose values Optuna proposes."""

    def __init__(self, **keys: Any) -> None:
        self._keys = keys

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what the search needs: the launcher, and the job that it launches."""
        self._job, self._loader = task_function, hydra_context.config_loader
        self._launcher = Plugins.instance().instantiate_launcher(
            config=config, hydra_context=hydra_context, task_function=task_function
        )

    def sweep(self, arguments: Sequence[str]) -> None:
        """Run the search; its jobs record their results themselves."""
        from engine.search import settings  # needs what only a search needs
        from engine.search.loop import Search

        keys = self._keys
        given = [f"{key}={value}" for key, value in (keys.pop("params") or {}).items()]
        parser = OverridesParser.create(config_loader=self._loader)
        wanted = settings.wanted(keys)
        job: Any = self._job  # engine.multirun.job.Job
        search = Search(wanted, self._launcher, job.folder, job.line)
        search.run(parser.parse_overrides([*given, *arguments]))


def _register() -> None:
    store = ConfigStore.instance().store
    store(group=_SWEEPER, name="optuna", node=Config, provider=__name__)
    for kind, known in (("sampler", _SAMPLERS), ("pruner", _PRUNERS)):
        for name, options in known.items():
            node = {"name": name, **options}
            store(group=f"{_SWEEPER}/{kind}", name=name, node=node, provider=__name__)


_register()
