"""Optuna's studies of a search, in a file beside the record of the sweep that all its jobs share.

One study has a trial for each job and proposes parameters. Another one collects the points of a
curve and decides which jobs to prune: Optuna's trials with several objectives take no points, and
the curve may have a direction of its own. Only this package and engine/search/ use Optuna.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from engine.errors import UserError
from engine.request import Pruning
from engine.vocabulary import Direction

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage

MadeT = TypeVar("MadeT")
FILE = "optuna.journal"  # optuna-dashboard opens it
_SEARCH, _PRUNING = "search", "pruning"
_OPTUNAS: Mapping[Direction, Literal["maximize", "minimize"]] = {
    "maximise": "maximize",
    "minimise": "minimize",
}
_PRUNERS = {
    "median": "MedianPruner",
    "halving": "SuccessiveHalvingPruner",
    "hyperband": "HyperbandPruner",
    "none": "NopPruner",
}


def prepare() -> None:
    """Raise UserError if Optuna is not installed; let it report nothing but errors."""
    try:
        import optuna
    except ImportError:
        raise UserError(
            "hydra/sweeper=optuna",
            "the package 'optuna' is not installed",
            "install the extra 'search': uv sync --inexact --extra search, or pip install optuna",
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def mend(folder: Path) -> None:
    """Remove what a killed process left in the file: an incomplete line, and its lock.

    The caller holds the lock of the sweep, so no other process uses the file.
    """
    path = folder / FILE
    path.with_name(f"{FILE}.lock").unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)


def search(
    folder: Path, directions: Sequence[Direction], make: Callable[[int], "BaseSampler"]
) -> "Study":
    """Return the study that proposes parameters, with the trials of earlier starts of the sweep.

    make: returns its sampler, given how many trials there are: the same seed would propose the same
    parameters again.
    """
    import optuna

    study = optuna.create_study(
        storage=_storage(folder),
        study_name=_SEARCH,
        directions=[_OPTUNAS[one] for one in directions],
        pruner=optuna.pruners.NopPruner(),
        load_if_exists=True,
    )
    study.sampler = make(len(study.get_trials(deepcopy=False)))
    return study


def pruning(folder: Path, wanted: Pruning) -> "Study":
    """Return the study that collects the points of the curve and decides which jobs to prune."""
    import optuna

    return optuna.create_study(
        storage=_storage(folder),
        study_name=_PRUNING,
        direction=_OPTUNAS[wanted.direction],
        sampler=optuna.samplers.RandomSampler(),  # its trials have no parameters
        pruner=pruner(wanted.pruner, wanted.options),
        load_if_exists=True,
    )


def pruner(name: str, options: Mapping[str, object]) -> "BasePruner":
    """Return the pruner; raise UserError if Optuna refuses its options."""
    import optuna

    made: type[BasePruner] = getattr(optuna.pruners, _PRUNERS[name])
    return checked(f"hydra.sweeper.pruner ({name})", lambda: made(**options))


def sampler(
    name: str, options: Mapping[str, object], seed: int | None, values: Mapping[str, Sequence[Any]]
) -> "BaseSampler":
    """Return the sampler; raise UserError if Optuna refuses its options.

    values: those of each parameter, for a grid.
    """
    import optuna

    more: dict[str, Any] = dict(options)
    makers: Mapping[str, Callable[[], BaseSampler]] = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed, **more),
        "nsgaii": lambda: optuna.samplers.NSGAIISampler(seed=seed, **more),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed, **more),
        "grid": lambda: optuna.samplers.GridSampler(values, seed=seed, **more),
    }
    return checked(f"hydra.sweeper.sampler ({name})", makers[name])


def checked(where: str, make: Callable[[], MadeT], fix: str = "see docs/search.md") -> MadeT:
    """Return what `make` returns; raise UserError with the fix if Optuna refuses its values."""
    try:
        return make()
    except (TypeError, ValueError) as error:
        what = str(error).partition("\n")[0].rstrip(".")
        raise UserError(where, what, fix) from None


def _storage(folder: Path) -> "BaseStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(folder / FILE)))
