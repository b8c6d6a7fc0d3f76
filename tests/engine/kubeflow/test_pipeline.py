"""A plan as a pipeline: what its tasks depend on, and how kfp reads them."""

import re
from itertools import pairwise

import pytest
import yaml
from google.protobuf import json_format
from kfp import components, dsl, kubernetes
from kfp.compiler import Compiler
from kfp.pipeline_spec import pipeline_spec_pb2

from engine.kubeflow import document, pipeline
from engine.kubeflow.tasks import Sources
from tests.engine.kubeflow.conftest import compiler, reference

USECASES = [
    "custom_algorithm",
    "image_recognition",
    "object_detection",
    "pose_activity",
    "face_recognition",
    "chatbot",
]
CHAIN = """
  a: {uses: mystages.make}
  b: {uses: mystages.double, inputs: {number: a.data}}
"""
GATED = """
  a: {uses: mystages.make}
  b: {uses: mystages.double, inputs: {number: a.data}, require: {total: ">= 2"}}
  c: {uses: mystages.double, inputs: {number: b.data}}
"""
EACH = """
  a: {uses: mystages.make, foreach: {n: [1, 2]}, params: {n: "${each.n}"}}
  b: {uses: mystages.gather, inputs: {parts: "a@*.data"}}
"""
GATHER = """
    from engine.stage import In, Out
    def gather(parts: In, data: Out) -> None: ...
"""
READS = "  b: {uses: mystages.double, inputs: {number: 'asset:numbers'}}\n"


@pytest.fixture(scope="module", params=USECASES)
def shipped(request, tmp_path_factory):
    """A use case of the project, for a target with an accelerator."""
    made = compiler(tmp_path_factory.mktemp("shipped"))
    return made(f"usecase={request.param}", "target=rpi4_coral")


def test_every_use_case_is_a_pipeline_that_kfp_accepts(shipped):
    made = shipped
    text = document.written(made.pipeline)
    spec, platforms = yaml.safe_load_all(text)
    loaded = components.load_component_from_text(text)
    assert json_format.MessageToDict(loaded.pipeline_spec) == _parsed(spec)
    assert platforms == made.pipeline.platforms
    assert set(made.pipeline.names.stages) == set(made.plan.jobs)


def _parsed(spec):
    return json_format.MessageToDict(json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec()))


def test_every_task_comes_after_those_whose_outputs_it_reads(shipped):
    made = shipped
    outputs = {
        name: made.pipeline.spec["components"][task["componentRef"]["name"]].get(
            "outputDefinitions"
        )
        for name, task in made.tasks.items()
    }
    for task in made.tasks.values():
        for one in task.get("inputs", {}).get("artifacts", {}).values():
            producer = one["taskOutputArtifact"]["producerTask"]
            assert producer in task["dependentTasks"]
            assert one["taskOutputArtifact"]["outputArtifactKey"] in outputs[producer]["artifacts"]


def test_every_image_is_named_by_its_digest(shipped):
    made = shipped
    executors = made.pipeline.spec["deploymentSpec"]["executors"].values()
    images = {one["container"]["image"] for one in executors if "container" in one}
    assert images
    assert all("@sha256:" in image for image in images)


def test_the_ir_is_what_the_sdk_of_kubeflow_compiles(mine, tmp_path):
    """A chain with everything that a task can have, written by hand with kfp and kfp-kubernetes."""
    made = mine(
        "  a: {uses: mystages.make, retries: 2, retry_delay: 1.5s, timeout: 30s, pass_env: [TOKEN], "
        "resources: {cpus: 2, memory: 512M}}\n"
        "  b: {uses: mystages.double, inputs: {number: a.data}, require: {total: '>= 2'}}\n"
        "  c: {uses: mystages.double, inputs: {number: b.data}}\n",
        "kubeflow.secret=mine",
    )
    ours = [*yaml.safe_load_all(_for_the_sdk(document.written(made.pipeline)))]
    ours[0].pop("defaultPipelineRoot")  # kfp sets it when a run is made
    for name, task in ours[0]["root"]["dag"]["tasks"].items():
        task["taskInfo"]["name"] = name  # the SDK has no names with upper case or @
    theirs = [*yaml.safe_load_all(_by_hand(made, tmp_path / "p.yaml"))]
    assert ours == theirs


def _for_the_sdk(text):
    """Return the pipeline with names as the SDK writes them."""
    return re.sub("stage-(report-)?", lambda found: found[0].replace("-", "_"), text)


def _by_hand(made, path):
    def component(stage, name, inputs, outputs):
        container = made.container(stage) if "gate" not in name else _gate(made, stage)
        spec = {
            "name": name,
            "inputs": [{"name": one, "type": kind} for one, kind in inputs.items()],
            "outputs": [{"name": one, "type": kind} for one, kind in outputs.items()],
            "implementation": {
                "container": {
                    "image": container["image"],
                    "command": [_placeholder(word) for word in container["command"]],
                }
            },
        }
        spec = {key: value for key, value in spec.items() if value}
        return components.load_component_from_text(yaml.safe_dump(spec))

    def reported(stage):
        report = next(
            one
            for one in made.component(stage)["outputDefinitions"]["artifacts"]
            if "report" in one
        ).replace("-", "_")
        return {"data": "Dataset", report: "Artifact", "stage_metrics": "Metrics"}, report

    outputs_a, _ = reported("a")
    outputs_b, report_b = reported("b")
    outputs_c, _ = reported("c")
    a = component("a", "a", {}, outputs_a)
    b = component("b", "b", {"number": "Dataset"}, outputs_b)
    gate = component("b", "b-gate", {"report": "Artifact"}, {})
    c = component("c", "c", {"number": "Dataset"}, outputs_c)
    keys = {name: task["cachingOptions"]["cacheKey"] for name, task in made.tasks.items()}

    @dsl.pipeline(name="mine-x86-64")
    def by_hand():
        first = a()
        first.set_caching_options(True, cache_key=keys["a"])
        first.set_cpu_limit("2").set_cpu_request("2")
        first.set_memory_limit("512000000").set_memory_request("512000000")
        first.set_retry(2, backoff_duration="2s", backoff_factor=2.0)
        kubernetes.set_timeout(first, 930)
        kubernetes.use_secret_as_env(first, "mine", {"TOKEN": "TOKEN"}, optional=True)
        second = b(number=first.outputs["data"])
        second.set_caching_options(True, cache_key=keys["b"])
        check = gate(report=second.outputs[report_b])
        check.set_caching_options(True, cache_key=keys["b-gate"])
        third = c(number=second.outputs["data"]).after(check)
        third.set_caching_options(True, cache_key=keys["c"])
        for task in (first, second, check, third):
            kubernetes.add_node_selector(task, "kubernetes.io/arch", "amd64")

    Compiler().compile(by_hand, str(path))
    return path.read_text()


def _gate(made, stage):
    task = made.pipeline.names.gates[stage]
    return made.pipeline.spec["deploymentSpec"]["executors"][f"exec-{task}"]["container"]


def _placeholder(word):
    """Return the SDK's own form of a placeholder."""
    if word.startswith("{{$.inputs"):
        return {"inputPath": word.split("'")[1]}
    if word.startswith("{{$.outputs"):
        return {"outputPath": word.split("'")[1].replace("-", "_")}
    return word


def test_what_needs_a_gated_stage_waits_for_its_gate(mine):
    made = mine(GATED)
    assert made.tasks["b-gate"]["dependentTasks"] == ["b"]
    assert made.task("c")["dependentTasks"] == ["b", "b-gate"]
    command = _gate(made, "b")["command"]
    assert command[:5] == ["python3", "-m", "engine.stage.kubeflow", "gate", '{"total":">= 2"}']


def test_a_foreach_is_a_task_for_each_value_and_a_folder_for_its_reader(mine, project):
    project.stage("gather", GATHER)
    made = mine(EACH)
    assert made.pipeline.names.stages == {"a@1": "a-1", "a@2": "a-2", "b": "b"}
    command = made.container("b")["command"]
    words = list(zip(command, command[1:], command[2:], strict=False))
    assert [triple for triple in words if triple[0] == "--entry"] == [
        ("--entry", "parts", "1"),
        ("--entry", "parts", "2"),
    ]
    assert [made.job(stage)["params"] for stage in ("a@1", "a@2")] == [{"n": 1}, {"n": 2}]
    assert made.pipeline.names.stage_of("a-2") == "a@2"


def test_a_stage_whose_condition_does_not_hold_is_not_in_the_pipeline(compiled):
    assert "compile" in compiled("usecase=pose_activity", "target=rpi4_coral").tasks
    none = ("target.accelerator=none", "target.bus=null")
    without = compiled("usecase=pose_activity", "target=rpi4_coral", *none)
    assert "compile" not in without.tasks
    assert without.job("infer")["without"] == ["compiled"]


def test_an_asset_is_imported_from_the_data_root(mine, project):
    (project.path / "numbers").write_text("3")
    project.usecase("mine", "name: mine\n")
    made = mine(READS + f"assets: {{numbers: {project.path}/numbers}}\n")
    importer = made.pipeline.spec["deploymentSpec"]["executors"]["exec-import-asset-numbers"][
        "importer"
    ]
    assert importer["artifactUri"] == {"constant": "s3://bucket/p/by-digest/asset:numbers"}
    assert made.task("b")["dependentTasks"] == ["import-asset-numbers"]
    assert made.job("b")["names"] == {"number": "numbers"}


def test_on_a_volume_inputs_are_paths_and_results_are_kept_by_key(mine, project):
    (project.path / "numbers").write_text("3")
    made = mine(
        READS + f"assets: {{numbers: {project.path}/numbers}}\n", "kubeflow.data_root=/data"
    )
    assert list(made.tasks) == ["b"]
    job = made.job("b")
    assert job["given"] == [["number", "", "s3://bucket/p/by-digest/asset:numbers"]]
    assert job["keep"] == f"/data/results/{made.pipeline.keys['b']}"
    assert "defaultPipelineRoot" not in made.pipeline.spec


def test_stages_that_do_not_run_are_imported(mine):
    made = mine(CHAIN)
    uris = {"a.data": "s3://bucket/p/by-digest/1"}
    sources = Sources(image=reference, uris=uris)
    only = pipeline.compiled(made.plan, made.request.settings.kubeflow, sources, ["b"])
    assert set(only.spec["root"]["dag"]["tasks"]) == {"b", "import-a-data"}
    assert only.keys == made.pipeline.keys


def test_a_forced_stage_and_all_that_follow_it_are_not_taken_from_the_cache(mine):
    made = mine(GATED, "force=[b]")
    cached = {name: task["cachingOptions"]["enableCache"] for name, task in made.tasks.items()}
    assert cached == {"a": True, "b": False, "b-gate": False, "c": False}


def test_retries_wait_twice_as_long_each_time(mine):
    made = mine("  a: {uses: mystages.make, retries: 2, retry_delay: 1.5s}\n")
    assert made.task("a")["retryPolicy"] == {
        "maxRetryCount": 2,
        "backoffDuration": "2s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "3600s",
    }


def test_the_pipeline_is_the_same_each_time(mine):
    first, second = mine(GATED), mine(GATED)
    assert document.written(first.pipeline) == document.written(second.pipeline)


def test_every_stage_reports_under_a_name_with_its_key(mine):
    made = mine(CHAIN)
    outputs = made.component("b")["outputDefinitions"]["artifacts"]
    report = f"stage-report-{made.pipeline.keys['b'][:16]}"
    assert list(outputs) == ["data", report, "stage-metrics"]
    assert outputs["stage-metrics"]["artifactType"]["schemaTitle"] == "system.Metrics"
    words = list(pairwise(made.container("b")["command"]))
    assert ("--report", f"{{{{$.outputs.artifacts['{report}'].path}}}}") in words
