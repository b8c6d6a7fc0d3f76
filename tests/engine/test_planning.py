"""From a request to a plan: selected stages, resolved assets, and mistakes that are reported together."""

import json

import pytest

from engine import compose, planning, registration
from engine.errors import UserError

SAMPLE = """
    name: sample
    description: a sample
    licence: null
    sample: true
    files:
      - {path: data.txt, mirror: data.txt, url: "https://127.0.0.1:9/x", sha256: SHA, bytes: 1}
"""
MADE = "name: made\ndescription: x\nlicence: MIT\nmade_by: {uses: mystages.make, output: data}\n"


@pytest.fixture
def plans(project, monkeypatch):
    """Plan a command line in the project's folder; its request is `plans.request`."""
    (project.path / "conf" / "asset").mkdir()
    (project.path / "conf" / "asset" / "made.yaml").write_text(MADE)
    (project.path / "conf" / "asset" / "sample.yaml").write_text(SAMPLE.replace("SHA", "ab" * 32))
    monkeypatch.chdir(project.path)

    def plan(*words: str) -> planning.Planning:
        given = [
            "--config-dir",
            str(project.path / "conf"),
            "stage_packages=[mystages]",
            "executor=local",
        ]
        plan.request = compose.single(
            registration.register([*given, "tracking=none", f"outputs={project.outputs}", *words])
        )
        return planning.plan(plan.request)

    return plan


def _reads(project, asset: str) -> None:
    stages = {"b": {"uses": "mystages.double", "inputs": {"number": "asset:mine"}}}
    project.usecase(
        "reads", json.dumps({"name": "reads", "assets": {"mine": asset}, "stages": stages})
    )


def test_a_plan_has_a_job_for_each_stage_in_the_order_of_their_needs(plans):
    assert list(plans("usecase=chain").plan.jobs) == ["a", "b", "c"]


def test_only_the_first_stage_of_a_fresh_chain_has_a_fingerprint(plans):
    jobs = plans("usecase=chain").plan.jobs
    assert {name: one.fingerprint is not None for name, one in jobs.items()} == {
        "a": True,
        "b": False,
        "c": False,
    }


def test_until_keeps_a_stage_and_what_it_needs(plans):
    assert list(plans("usecase=chain", "until=[b]").plan.jobs) == ["a", "b"]


def test_a_path_is_an_asset_with_its_digest(plans, project):
    (project.path / "four.txt").write_text("4")
    _reads(project, str(project.path / "four.txt"))
    [asset] = plans("usecase=reads").plan.assets.values()
    assert asset.path == project.path / "four.txt" and asset.digest.startswith(("file:", "sha256:"))


def test_a_wrong_path_of_an_asset_is_the_only_mistake_about_it(plans, project):
    stages = {
        "b": {
            "uses": "mystages.double",
            "inputs": {"number": "asset:mine"},
            "when": {"assets.mine": True},
        }
    }
    assets = {"mine": None}
    project.usecase("reads", json.dumps({"name": "reads", "assets": assets, "stages": stages}))
    with pytest.raises(ExceptionGroup) as caught:
        plans("usecase=reads", "assets.mine=/nowhere.txt")
    assert [one.where for one in caught.value.exceptions] == ["assets.mine=/nowhere.txt"]


def test_a_sample_that_no_stage_reads_is_not_made(plans, project):
    inputs = {"number": ["asset:other", "asset:mine"]}
    stages = {"b": {"uses": "mystages.double", "inputs": inputs}}
    assets = {"mine": "made", "other": None}
    project.usecase("reads", json.dumps({"name": "reads", "assets": assets, "stages": stages}))
    (project.path / "four.txt").write_text("4")
    other = f"assets.other={project.path / 'four.txt'}"
    assert set(plans("usecase=reads").plan.jobs) == {"mine", "b"}
    assert set(plans("usecase=reads", other).plan.jobs) == {"b"}


def test_an_asset_that_a_stage_makes_is_a_stage_of_its_name(plans, project):
    _reads(project, "made")
    plan = plans("usecase=reads").plan
    assert set(plan.jobs) == {"mine", "b"} and not plan.assets
    assert plan.jobs["b"].job.needs == ["mine"]


def test_a_sample_without_a_licence_is_noted(plans, project):
    _reads(project, "sample")
    notes = plans("usecase=reads").plan.notes
    assert any("licence" in note for note in notes) and any(
        "assets.mine=" in note for note in notes
    )


def test_planning_fetches_nothing(plans, project):
    _reads(project, "sample")
    [asset] = plans("usecase=reads").plan.assets.values()
    assert not asset.path.exists()


def test_an_asset_that_cannot_be_fetched_is_reported_before_anything_runs(plans, project):
    _reads(project, "sample")
    planned = plans("usecase=reads")
    with pytest.raises(ExceptionGroup) as caught:
        planning.fetch_assets(plans.request, planned, lambda *_: None)
    assert [mistake.where for mistake in caught.value.exceptions] == ["asset sample: data.txt"]


def test_a_job_that_is_cached_fetches_no_asset(plans, project):
    (project.path / "four.txt").write_text("4")
    _reads(project, str(project.path / "four.txt"))
    project.done("usecase=reads")
    planned = plans("usecase=reads")
    assert planned.plan.jobs["b"].record is not None
    planning.fetch_assets(plans.request, planned, lambda *_: pytest.fail("it fetched"))


def test_every_mistake_is_reported_at_once(plans, project):
    project.usecase(
        "wrong", "stages:\n  a: {uses: mystages.mak}\n  b: {uses: mystages.make, input: {}}\n"
    )
    with pytest.raises(ExceptionGroup) as caught:
        plans("usecase=wrong")
    told = [mistake.where.rpartition(": ")[2] for mistake in caught.value.exceptions]
    assert told == ["stages.a.uses", "stages.b.input"]


def test_a_mirror_that_is_no_folder_is_refused(plans, project):
    _reads(project, "sample")
    planned = plans("usecase=reads", "mirror=nowhere")
    with pytest.raises(UserError, match="mirror=nowhere"):
        planning.fetch_assets(plans.request, planned, lambda *_: None)


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ((), "conf/asset/asking.yaml: settings.params.n"),
        (("params.n=few",), "params.n=few"),
    ],
)
def test_a_wrong_value_is_named_in_the_asset_that_sets_it(plans, project, words, where):
    asking = MADE.replace("name: made", "name: asking") + "settings: {params: {n: many}}\n"
    (project.path / "conf" / "asset" / "asking.yaml").write_text(asking)
    a = "{uses: mystages.make, params: {n: '${params.n}'}}"
    b = "{uses: mystages.double, inputs: {number: 'asset:mine'}}"
    project.usecase(
        "asks", f"params: {{n: 3}}\nassets: {{mine: asking}}\nstages:\n  a: {a}\n  b: {b}\n"
    )
    with pytest.raises(ExceptionGroup) as caught:
        plans("usecase=asks", *words)
    assert [mistake.where for mistake in caught.value.exceptions] == [where]


READER = """
    from engine.stage import In, Out
    READS = {"model": {"a .tflite file": "????TFL3", "a folder": ""}}
    def reader(model: In, out: Out) -> None:
        '''Read a model.'''
"""


@pytest.mark.parametrize(("content", "is_read"), [(b"\0\0\0\0TFL3", True), (b"import os", False)])
def test_a_file_that_the_stage_cannot_read_is_refused_when_planning(project, content, is_read):
    project.stage("reader", READER)
    project.usecase(
        "own",
        'assets: {net: null}\nstages: {a: {uses: mystages.reader, inputs: {model: "asset:net"}}}\n',
    )
    (project.path / "net.bin").write_bytes(content)
    done = project.run("plan", "usecase=own", f"net={project.path}/net.bin")
    assert done.returncode == (0 if is_read else 2), done.stderr
    if not is_read:
        assert done.stderr.splitlines() == [
            f"assets.net={project.path}/net.bin",
            "  the stage 'a' cannot read this file as its model",
            "  give a .tflite file or a folder",
        ]
