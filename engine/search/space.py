"""The search space: what Hydra's sweep syntax says about each parameter, as Optuna's distributions.

choice, range, interval, glob, tag and casts mean the same as for Hydra's other sweepers: a range
does not include its end, and an interval is whole only with int().
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from engine import studies
from engine.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_LOG = "log"  # a tag


@dataclass(frozen=True, slots=True)
class Space:
    """The words of the command line that all jobs share, and the parameters that differ."""

    fixed: tuple[str, ...]
    parameters: Mapping[str, "BaseDistribution"]  # by key

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """Return the overrides of a job with these values."""
        return [*self.fixed, *(f"{key}={values[key]}" for key in self.parameters)]

    def example(self) -> list[str]:
        """Return the overrides of some job."""
        return self.words({key: _values(one)[0] for key, one in self.parameters.items()})

    def explained(self, mistake: Exception) -> Exception:
        """Return a mistake of the example; if an interval must be whole, with how to write that."""
        place, _, value = getattr(mistake, "where", "").partition("=")
        distribution = self.parameters.get(place)
        if (
            distribution
            and _is_endless(distribution)
            and f"{value} is not of type int" in str(mistake)
        ):
            what = "this parameter is a whole number"
            return UserError(place, what, "write int(interval(LOW,HIGH)), or range(START,END)")
        return mistake

    def grid(self) -> dict[str, Sequence[Any]]:
        """Return all values of each parameter; raise UserError for an interval, which has no step."""
        endless = [key for key, one in self.parameters.items() if _is_endless(one)]
        if endless:
            what = "a grid needs single values, and this is an interval"
            raise UserError(endless[0], what, "write choice(...) or range(...)")
        return {key: _values(one) for key, one in self.parameters.items()}


def of(overrides: Sequence[Override]) -> Space:
    """Return the space; of several overrides of a key, the last one counts."""
    fixed: dict[str, str] = {}
    parameters: dict[str, BaseDistribution] = {}
    for one in overrides:
        key = one.get_key_element()
        fixed.pop(key, None)
        parameters.pop(key, None)
        if one.is_sweep_override():
            parameters[key] = _distribution(one)
        else:
            fixed[key] = str(one.input_line)
    if not parameters:
        what, fix = (
            "there is nothing to search",
            "write params.KEY=interval(1e-4,1e-2), or choice(a,b)",
        )
        raise UserError("the command line", what, f"{fix}, in quotes")
    return Space(tuple(fixed.values()), parameters)


def _distribution(given: Override) -> "BaseDistribution":
    value: Any = given.value()
    if isinstance(value, IntervalSweep):
        return _made(given, _between, value)
    if isinstance(value, RangeSweep):
        return _made(given, _stepped, value)
    return _made(given, _choice, list(given.sweep_string_iterator()))


def _made(
    given: Override, make: "Callable[[Any], BaseDistribution]", value: Any
) -> "BaseDistribution":
    fix = "write interval(LOW,HIGH), range(START,END) or choice(A,B)"
    return studies.checked(str(given.input_line), lambda: make(value), fix)


def _between(value: IntervalSweep) -> "BaseDistribution":
    from optuna.distributions import FloatDistribution, IntDistribution

    low, high, is_log = value.start, value.end, _LOG in value.tags
    assert low is not None and high is not None  # the grammar requires both
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=is_log)
    return FloatDistribution(low, high, log=is_log)


def _stepped(value: RangeSweep) -> "BaseDistribution":
    from optuna.distributions import FloatDistribution, IntDistribution

    assert value.start is not None and value.stop is not None  # as above
    start, step = value.start, value.step
    count = math.ceil((value.stop - start) / step - 1e-9)
    if count < 1:
        raise ValueError("the range is empty")
    low, high = sorted((start, start + (count - 1) * step))
    is_log = _LOG in value.tags
    if all(isinstance(one, int) for one in (start, value.stop, step)):
        return IntDistribution(int(low), int(high), log=is_log, step=int(abs(step)))
    if is_log:
        raise ValueError("a range of fractions cannot be logarithmic")
    return FloatDistribution(low, high, step=abs(step))


def _choice(values: Sequence[str]) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution

    return CategoricalDistribution(values)


def _values(one: "BaseDistribution") -> Sequence[Any]:
    """Return the values of a parameter; of an interval without a step, its lowest."""
    from optuna.distributions import CategoricalDistribution

    if isinstance(one, CategoricalDistribution):
        return one.choices
    low, high, step = (getattr(one, name) for name in ("low", "high", "step"))
    if step is None:
        return [low]
    return [low + at * step for at in range(round((high - low) / step) + 1)]


def _is_endless(one: "BaseDistribution") -> bool:
    from optuna.distributions import FloatDistribution

    return isinstance(one, FloatDistribution) and one.step is None
