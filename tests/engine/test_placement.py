"""Where a job runs: what of its place makes it another job, and what does not."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from engine import fingerprint
from engine.placement import DEVICE, EMULATED, Placement, Setting
from engine.plan import Job
from engine.spec import StageSpec
from engine.target import Target

PLACE = Placement("linux/arm64", False, DEVICE, {"image": "raspberrypi-mlops/runtime:arm64-1"}, "raspberrypi-mlops/runtime:arm64-1")


def _key(place: Placement) -> str:
    job = Job("s", StageSpec(uses="mystages.make"), None, {}, (), {}, place)
    return fingerprint.fingerprint(job.parts({}))


def test_the_same_image_on_the_device_and_under_qemu_is_the_same_job():
    assert _key(PLACE) == _key(Placement("linux/arm64", True, EMULATED, PLACE.environment, PLACE.image))


@pytest.mark.parametrize("other", [
    Placement("linux/arm64", False, DEVICE, {"image": "raspberrypi-mlops/runtime:arm64-2"}, "raspberrypi-mlops/runtime:arm64-2"),
    Placement("linux/arm/v7", False, DEVICE, PLACE.environment, PLACE.image),
    Placement("linux/arm64", False, DEVICE, {"numpy": "1.26.4"}),
], ids=["image", "platform", "packages of a process"])  # fmt: skip
def test_another_environment_is_another_job(other):
    assert _key(PLACE) != _key(other)


def test_a_place_without_an_image_is_a_process():
    assert Placement("linux/amd64", False, "x86_64").image is None


def test_a_place_stays_as_it_is():
    with pytest.raises(FrozenInstanceError):
        PLACE.taken = "x86_64"


def test_images_are_not_read_before_they_are_asked_for():
    read = []
    setting = Setting(Target(name="t", platform="linux/arm64", runtime="litert"), (), (), lambda: read.append(1) or [], Path("store"))
    assert read == [] and setting.images() == [] and read == [1]
