"""An engine's responses are validated: a valid one is typed, and any other raises Nonsense."""

from types import SimpleNamespace

import pytest

from engine.containers import answers

MACHINE = {"ID": "x", "Architecture": "x86_64", "MemTotal": 1 << 30, "NCPU": 2}


def _client(answer: object) -> SimpleNamespace:
    return SimpleNamespace(info=lambda: answer)


def test_a_sensible_answer_is_typed():
    assert answers.info(_client({**MACHINE, "Unknown": 1})) == answers.Info(**MACHINE)


@pytest.mark.parametrize(
    ("more", "has_gpus"),
    [
        ({}, False),
        ({"Runtimes": {"runc": {}}}, False),
        ({"Runtimes": {"runc": {}, "nvidia": {"path": "nvidia-container-runtime"}}}, True),
        ({"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]}, True),
        ({"DiscoveredDevices": [{"Source": "cdi", "ID": "other.com/x=0"}]}, False),
    ],
)
def test_an_engine_says_whether_its_containers_can_get_gpus(more, has_gpus):
    assert answers.info(_client({**MACHINE, **more})).has_gpus is has_gpus


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (None, "Info"),
        ([], "Info"),
        ({**MACHINE, "NCPU": 0}, "NCPU"),
        ({**MACHINE, "MemTotal": 1 << 80}, "MemTotal"),
        ({**MACHINE, "Architecture": "x" * 51}, "Architecture"),
    ],
)
def test_an_answer_that_makes_no_sense_is_reported_with_the_key(answer, named):
    with pytest.raises(answers.Nonsense, match=f"its answer is invalid: {named}: "):
        answers.info(_client(answer))


@pytest.mark.parametrize("key", ["../../etc", "a" * 63, "A" * 64, None])
def test_an_id_that_is_a_path_or_of_another_form_is_none(key):
    assert not answers.is_named(SimpleNamespace(id=key))
    assert answers.is_named(SimpleNamespace(id="a" * 64))


@pytest.mark.parametrize("stumble", [KeyError, TypeError, AttributeError, IndexError, ValueError])
def test_what_a_client_stumbles_over_is_nonsense_of_the_engine(stumble):
    with pytest.raises(answers.Nonsense), answers.sense():
        raise stumble("x")


@pytest.mark.parametrize(
    ("configuration", "variables"),
    [
        ({"Env": ["A=1", "B=x=y", "odd"]}, {"A": "1", "B": "x=y"}),
        ({"Env": None}, {}),
        ({}, {}),
    ],
)
def test_an_images_variables_are_read(configuration, variables):
    image = SimpleNamespace(attrs={"Config": configuration})
    assert answers.environment(image) == variables
