"""Which executor can run an MLflow Project, and what the others answer. No engine is needed."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from engine.containers import selection
from engine.contract import Contract
from engine.errors import UserError
from engine.images import Image
from engine.spec import StageSpec

BUILT = Image("train", "linux/amd64", "amd64-" + "a" * 12, frozenset(), False, "containers")
LOCAL = Contract(label="fit main", only_local="it runs as a process of this machine")
IN_IMAGE = Contract(label="fit main", image="acme/train:1")


def _chosen(contract: Contract, **keys: Any) -> Image:
    context = SimpleNamespace(images=lambda: [BUILT], target=SimpleNamespace(runtime="litert"))
    spec = StageSpec.model_validate({"command": ["true"], **keys})
    return selection.choose(context, "linux/amd64", spec, contract, lambda: None)


def test_a_local_process_cannot_run_in_an_image(local_bench):
    with pytest.raises(UserError) as caught:
        local_bench.executor.place(StageSpec(), IN_IMAGE)
    assert (caught.value.where, "acme/train:1" in caught.value.what) == ("image", True)
    assert "executor=docker" in caught.value.fix


def test_a_project_of_this_environment_runs_on_the_host_beside_containers():
    with pytest.raises(UserError) as caught:
        _chosen(LOCAL)
    assert (caught.value.where, "runs_on: host" in caught.value.fix) == ("runs_on", True)


def test_a_project_in_an_image_does_not_run_on_a_device():
    with pytest.raises(UserError) as caught:
        _chosen(IN_IMAGE, runs_on="target")
    assert (caught.value.where, caught.value.fix) == ("runs_on", "remove runs_on")


def test_an_image_of_containers_is_found_by_its_whole_name_and_built_if_necessary():
    assert _chosen(dataclasses.replace(IN_IMAGE, image=BUILT.full_name)) == BUILT
    old = BUILT.full_name.replace("a" * 12, "b" * 12)
    with pytest.raises(UserError) as caught:
        _chosen(dataclasses.replace(IN_IMAGE, image=old))
    assert "containers/train has changed" in caught.value.what
    assert BUILT.full_name in caught.value.fix


def test_the_fingerprint_depends_on_what_a_foreign_tag_stands_for():
    one = dataclasses.replace(BUILT, foreign="acme/train:1", digest="sha256:1")
    other = dataclasses.replace(one, digest="sha256:2")
    assert (one.full_name, one.identity == other.identity) == ("acme/train:1", False)
    assert BUILT.identity == BUILT.full_name
