"""`output=FILE.yaml`: written whole or not at all, and never by another executor."""

import json

import pytest
import yaml

from tests import kubeflow_bench
from tests.conftest import command_line

GOOD = ("executor=kubeflow", "kubeflow.data_root=/data", "kubeflow.registry=localhost:5000/p")


def test_another_executor_writes_no_pipeline(give, project):
    said = give("output=p.yaml")
    assert said.status == 2
    assert "add executor=kubeflow" in said.err
    assert not list(project.path.glob("*.yaml"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("  a: {uses: mystages.make, params: {n: 1, n: 2}}\n", "twice"),
        ("  a: {uses: mystages.needs}\n", "needs the parameter"),
        ("  a: {uses: mystages.make, resources: {gpu: 1}}\n", "gpu_label"),
        ("  a: {uses: mystages.make, pass_env: [TOKEN]}\n", "kubeflow.secret"),
    ],
)
def test_a_mistake_in_a_stage_writes_nothing(give, project, text, word):
    """Faults of the pipelines that this project replaces: each was found by a failing pod."""
    project.stage(
        "needs", "from engine.stage import Out\ndef needs(data: Out, *, n: int) -> None: ...\n"
    )
    project.usecase("wrong", f"stages:\n{text}")
    said = give("usecase=wrong", *GOOD, "output=p.yaml")
    assert (said.status, word in said.err) == (2, True), said.err
    assert not (project.path / "p.yaml").exists()


@pytest.fixture
def bench(project, tmp_path, monkeypatch):
    """A project whose images are in a registry; nothing is submitted."""
    monkeypatch.chdir(project.path)
    with kubeflow_bench.bench(project, kubeflow_bench.shared(tmp_path)) as made:
        yield made


def _write(bench, *words):
    words = (*bench.words, "kubeflow.host=null", "output=p.yaml", *words)
    assert command_line(bench.project, *words) == 0
    return [*yaml.safe_load_all((bench.project.path / "p.yaml").read_text())]


def test_the_file_contains_the_whole_plan_and_nothing_is_submitted(bench, capsys):
    spec, _ = _write(bench)
    assert set(spec["root"]["dag"]["tasks"]) == {"make", "read", "last"}
    assert capsys.readouterr().out == "p.yaml\n"
    assert bench.api.runs == {}


def test_what_is_cached_is_written_too(bench):
    before = _write(bench)
    assert command_line(bench.project, "usecase=cluster") == 0
    assert _write(bench) == before


def test_an_asset_is_uploaded_before_the_file_is_written(bench, tmp_path):
    (bench.project.path / "numbers").write_text("3")
    bench.use(
        "stages:\n  b: {uses: mystages.double, inputs: {number: 'asset:numbers'}}\n"
        f"assets: {{numbers: {bench.project.path}/numbers}}\n"
    )
    spec, _ = _write(bench)
    job = json.loads(spec["deploymentSpec"]["executors"]["exec-b"]["container"]["command"][4])
    [[_, _, uri]] = job["given"]
    with open(uri) as file:
        assert file.read() == "3"


def test_with_a_host_it_is_written_and_submitted(bench):
    assert command_line(bench.project, *bench.words, "output=p.yaml") == 0
    assert (bench.project.path / "p.yaml").is_file()
    assert bench.created == 1


def test_a_file_that_cannot_be_written_is_a_mistake(bench, capsys):
    words = (*bench.words, "kubeflow.host=null", "output=/proc/p.yaml")
    assert command_line(bench.project, *words) == 2
    assert "output=/proc/p.yaml" in capsys.readouterr().err


def test_stages_of_the_targets_device_are_left_out_and_named(bench, capsys):
    bench.use(
        "stages:\n  a: {uses: mystages.make}\n"
        "  b: {uses: mystages.double, inputs: {number: a.data}, runs_on: target}\n"
        "  c: {uses: mystages.double, inputs: {number: b.data}}\n"
    )
    spec, _ = _write(bench, "target.device=ssh://pi@nowhere", "target=x86_64")
    assert set(spec["root"]["dag"]["tasks"]) == {"a"}
    note = "note: without b and c, which need the target's device ssh://pi@nowhere"
    assert capsys.readouterr().out.splitlines() == ["p.yaml", note]


def test_the_jobs_of_a_sweep_do_not_overwrite_each_others_file(bench, capsys):
    words = (*bench.words, "kubeflow.host=null", "-m", "params.n=1,2")
    assert command_line(bench.project, *words, "output=p.yaml") == 2
    assert "each job of the sweep would overwrite it" in capsys.readouterr().err
    assert command_line(bench.project, *words, "output='p-${params.n}.yaml'") == 0
    assert {path.name for path in bench.project.path.glob("p*.yaml")} == {"p-1.yaml", "p-2.yaml"}
