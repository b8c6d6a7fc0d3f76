"""What pods ask of the cluster, as the YAML of a use case says it."""

import platform

import pytest

from engine.containers.options import FOUR_CPUS
from engine.placement import ARM64_NODE, EMULATED

LABEL = "kubeflow.gpu_label=nvidia.com/gpu.present=true"
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="build stages run on amd64")


def _stage(**keys: str) -> str:
    return "  a: {uses: mystages.make, " + ", ".join(f"{k}: {v}" for k, v in keys.items()) + "}\n"


def test_a_stage_without_wishes_gets_no_limits(mine):
    made = mine("  a: {uses: mystages.make}\n")
    assert "resources" not in made.container("a")
    assert made.pod("a") == {"nodeSelector": {"labels": {"kubernetes.io/arch": "amd64"}}}


def test_processors_and_memory_are_requested_and_limited(mine):
    made = mine(_stage(resources="{cpus: 1.5, memory: 2G}"))
    assert made.container("a")["resources"] == {
        "cpuLimit": 1.5,
        "cpuRequest": 1.5,
        "resourceCpuLimit": "1.5",
        "resourceCpuRequest": "1.5",
        "memoryLimit": 2.0,
        "memoryRequest": 2.0,
        "resourceMemoryLimit": "2000000000",
        "resourceMemoryRequest": "2000000000",
    }


def test_a_timeout_is_the_steps_and_a_later_one_the_pods(mine):
    made = mine(_stage(timeout="30s"))
    assert made.job("a")["timeout_s"] == 30
    assert made.pod("a")["activeDeadlineSeconds"] == "930"


def test_an_emulated_stage_has_ten_times_as_long_and_four_cpus(compiled):
    made = compiled("usecase=pose_activity", "target=rpi4", "+stages.infer.timeout=30s")
    assert made.job("infer")["timeout_s"] == 300
    assert made.job("infer")["measured_on"] == EMULATED
    assert made.pod("infer")["nodeSelector"]["labels"] == {"kubernetes.io/arch": "amd64"}
    mount = made.pod("infer")["emptyDirMounts"][0]["mountPath"]
    assert made.job("infer")["files"] == {
        f"{mount}/{file.name}": file.read_text() for file in FOUR_CPUS.iterdir()
    }
    assert "emptyDirMounts" not in made.pod("train")


def test_with_arm64_nodes_the_targets_stages_run_there(compiled):
    made = compiled("usecase=pose_activity", "target=rpi4", "kubeflow.arm64_nodes=true")
    assert made.job("infer")["measured_on"] == ARM64_NODE
    assert made.job("infer")["files"] == {}
    assert made.pod("infer")["nodeSelector"]["labels"] == {"kubernetes.io/arch": "arm64"}
    assert made.pod("train")["nodeSelector"]["labels"] == {"kubernetes.io/arch": "amd64"}


def test_a_node_with_the_accelerator_is_chosen_by_its_label(compiled):
    words = ("kubeflow.arm64_nodes=true", "kubeflow.accelerator_label=coral.ai/tpu=usb")
    made = compiled("usecase=pose_activity", "target=rpi4_coral", *words)
    both = {"kubernetes.io/arch": "arm64", "coral.ai/tpu": "usb"}
    assert made.pod("infer")["nodeSelector"]["labels"] == both
    assert "coral.ai/tpu" not in made.pod("train")["nodeSelector"]["labels"]


def test_gpus_are_a_limit_and_a_label(mine, project):
    made = mine(_stage(resources="{gpu: 2}", image="runtime"), LABEL)
    assert made.container("a")["resources"]["accelerator"] == {
        "count": "2",
        "resourceCount": "2",
        "resourceType": "nvidia.com/gpu",
        "type": "nvidia.com/gpu",
    }
    labels = {"kubernetes.io/arch": "amd64", "nvidia.com/gpu.present": "true"}
    assert made.pod("a")["nodeSelector"]["labels"] == labels
    assert made.job("a")["env"]["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_no_stage_sees_a_gpu_that_it_did_not_ask_for(mine):
    assert mine("  a: {uses: mystages.make}\n").job("a")["env"]["CUDA_VISIBLE_DEVICES"] == "-1"


def test_secrets_are_named_and_their_values_are_nowhere(mine, monkeypatch):
    monkeypatch.setenv("TOKEN", "canary-7c1f")
    made = mine(_stage(pass_env="[TOKEN]"), "kubeflow.secret=mine")
    secret = made.pod("a")["secretAsEnv"][0]
    assert (secret["secretName"], secret["optional"]) == ("mine", True)
    assert secret["keyToEnv"] == [{"envVar": "TOKEN", "secretKey": "TOKEN"}]
    assert "canary-7c1f" not in str(made.pipeline)


def test_the_volume_is_mounted_where_the_data_root_is(mine):
    words = ("kubeflow.data_root=/data", "kubeflow.volume=shared")
    mount = mine("  a: {uses: mystages.make}\n", *words).pod("a")["pvcMount"][0]
    assert (mount["constant"], mount["mountPath"]) == ("shared", "/data")
