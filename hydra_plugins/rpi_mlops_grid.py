"""Hydra's entry to sweeps over all combinations of values: it replaces Hydra's own `basic` sweeper.

Hydra finds this file because the namespace package `hydra_plugins` is beside `engine/`. Every
composition imports it, so it must stay light.
"""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class GridSweeper(BasicSweeper):
    """Launches the same jobs as Hydra's sweeper; a worker that dies does not end the others."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep the job that is launched: it knows the record of the sweep."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self._job: Any = task_function  # engine.multirun.job.Job

    def sweep(self, arguments: Sequence[str]) -> None:
        """Check all jobs, then launch them, in batches if `max_batch_size` is set."""
        from engine import workers  # needs what only a sweep needs
        from engine.multirun import precheck

        assert self.hydra_context is not None and self.launcher is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        batches = list(self.split_arguments(overrides, self.max_batch_size))
        if self._job.command == "run":
            precheck.check([words for batch in batches for words in batch], self._job.line)
        first = 0
        for batch in batches:
            self.validate_batch_is_legal(batch)
            workers.launch(self.launcher, batch, first, self._job.folder)
            first += len(batch)


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="basic",
    node={"_target_": f"{__name__}.GridSweeper", "max_batch_size": None, "params": None},
    provider=__name__,
)
