"""Where a job runs, as plain data for its executor."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from engine.context import ExecutorContext
from engine.placement import DEVICE, EMULATED, Placement
from engine.target import Target

AIM = Target(name="here", platform="linux/amd64")


def test_a_place_without_an_image_is_a_process_of_this_machine():
    assert Placement("linux/amd64", False, "x86_64").image is None


def test_a_place_says_nothing_of_an_environment_that_it_does_not_have():
    assert dict(Placement("linux/amd64", False, "x86_64").environment) == {}


def test_two_places_that_say_the_same_are_the_same():
    assert Placement("linux/arm64", True, EMULATED, {"image": "a"}) == Placement(
        "linux/arm64", True, EMULATED, {"image": "a"}
    )


def test_figures_of_a_device_are_never_labelled_as_emulated():
    assert DEVICE != EMULATED


@pytest.mark.parametrize(
    ("of", "name", "value"),
    [
        (Placement("linux/amd64", False, "x86_64"), "measured_on", DEVICE),
        (ExecutorContext(AIM, (), (), tuple, Path("store")), "target", None),
    ],
)
def test_what_has_been_settled_stays(of, name, value):
    with pytest.raises(FrozenInstanceError):
        setattr(of, name, value)


def test_the_images_are_read_only_when_they_are_asked_for():
    asked = []
    context = ExecutorContext(AIM, (), (), lambda: asked.append(1) or (), Path("store"))
    assert asked == []
    assert context.images() == () and asked == [1]
