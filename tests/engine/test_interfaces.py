"""Every implementation has each member of its Protocol, and each method takes the same parameters."""

import importlib
import inspect
from functools import partial
from pathlib import Path

import pytest

from engine import interfaces
from engine.containers.binds import Binds
from engine.containers.volumes import Volumes
from engine.dispatch import Dispatcher
from engine.drivers.scheduler import Scheduler
from engine.executors.device import Device
from engine.executors.docker import Here
from engine.recorder import Recorder

ENGINE = Path(interfaces.__file__).parent


def _found(folder: str, name: str) -> list[type]:
    """Return the class with this name in each file of a folder; a partial is replaced by its function."""
    modules = [
        f"engine.{folder}.{path.stem}" for path in sorted((ENGINE / folder).glob("[a-z]*.py"))
    ]
    found = [getattr(importlib.import_module(module), name) for module in modules]
    return [one.func if isinstance(one, partial) else one for one in found]


def _drivers() -> list[type]:
    """Return the declared return type of each driver's factory."""
    found = []
    for path in sorted((ENGINE / "drivers").glob("[a-z]*.py")):
        module = importlib.import_module(f"engine.drivers.{path.stem}")
        made = inspect.get_annotations(module.driver)["return"]
        found.append(getattr(module, made) if isinstance(made, str) else made)
    return found


IMPLEMENTATIONS = [
    *((interfaces.Executor, one) for one in [*_found("executors", "Executor"), Dispatcher]),
    *((interfaces.Sink, one) for one in _found("sinks", "Sink")),
    *((interfaces.Driver, one) for one in _drivers()),
    *((interfaces.ContainerMachine, one) for one in (Here, Device)),
    *((interfaces.ContainerFiles, one) for one in (Binds, Volumes)),
]


def _methods(protocol: type) -> dict[str, inspect.Signature]:
    """Return the methods that the Protocol itself declares."""
    found = {name: value for name, value in vars(protocol).items() if not name.startswith("_")}
    return {
        name: inspect.signature(value) for name, value in found.items() if inspect.isfunction(value)
    }


def _parameters(signature: inspect.Signature) -> list[tuple[str, object]]:
    return [(name, parameter.kind) for name, parameter in signature.parameters.items()]


@pytest.mark.parametrize(
    ("protocol", "implementation"),
    IMPLEMENTATIONS,
    ids=lambda one: f"{one.__module__.rpartition('.')[2]}.{one.__name__}",
)
def test_an_implementation_has_every_method_with_its_parameters(protocol, implementation):
    wanted = {name: _parameters(signature) for name, signature in _methods(protocol).items()}
    has = {
        name: _parameters(inspect.signature(getattr(implementation, name)))
        for name in wanted
        if hasattr(implementation, name)
    }
    assert wanted and has == wanted


def test_a_recorder_emits_as_drivers_do():
    emit = inspect.signature(interfaces.Emit.__call__)
    assert _parameters(inspect.signature(Recorder.emit)) == _parameters(emit)


def test_the_scheduler_is_a_driver():
    assert (interfaces.Driver, Scheduler) in IMPLEMENTATIONS
