"""The contract of accelerators: each file of engine/accelerators/ is checked against its Protocol."""

import inspect

import pytest

from engine import accelerator, target
from engine.accelerator import Accelerator, Access
from engine.finding import Finding

KNOWN = accelerator.installed()
AIM = {"name": "aim", "platform": "linux/arm64"}


@pytest.fixture(params=KNOWN)
def name(request) -> str:
    """Each accelerator's name in turn."""
    return request.param


@pytest.fixture
def one(name) -> Accelerator:
    """The accelerator of that name."""
    return KNOWN[name]


def test_it_has_every_function_of_the_protocol_with_its_parameters(one):
    declared = {key: value for key, value in vars(Accelerator).items() if key[0] != "_"}
    wanted = {
        key: list(inspect.signature(value.__func__).parameters)
        for key, value in declared.items()
        if isinstance(value, staticmethod)
    }
    found = {key: list(inspect.signature(getattr(one, key)).parameters) for key in wanted}
    assert wanted and found == wanted


def test_it_has_a_title_and_names_its_buses_and_its_runtime(one):
    assert one.TITLE and isinstance(one.BUSES, tuple)
    assert one.RUNTIME is None or one.RUNTIME in target.choices("runtime")


def test_a_target_may_have_it_on_each_of_its_buses_the_first_by_default(name, one):
    assert target.parse({**AIM, "accelerator": name}, "t.yaml").bus == next(iter(one.BUSES), None)
    for bus in one.BUSES:
        assert target.parse({**AIM, "accelerator": name, "bus": bus}, "t.yaml").bus == bus


def test_what_a_fingerprint_counts_is_text_that_stays_as_long_as_the_machine_does(one):
    assert isinstance(one.seen(), str) and one.seen() == one.seen()


def test_what_is_missing_comes_with_what_brings_it(one):
    findings = one.findings()
    assert all(isinstance(found, Finding) and found.what for found in findings)
    assert [found for found in findings if not found.is_there and not found.fix] == []


def test_a_container_gets_only_what_stands_in_dev(one):
    for bus in one.BUSES or (None,):
        access = one.access(bus)
        assert isinstance(access, Access)
        paths = [*access.devices, *map(str, access.binds)]
        assert [path for path in paths if not path.startswith("/dev/")] == []
        assert isinstance(one.is_usable(bus), bool)
