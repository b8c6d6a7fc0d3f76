"""What a valid use case becomes: jobs in order, defaults filled in, warnings.

Mistakes are in tests/messages.
"""

import pytest

from engine import check, spec
from engine.errors import UserError
from engine.graph import Reference
from engine.placement import Placement
from engine.signature import Library

PLACES = {
    "build": Placement("linux/amd64", False, "x86_64"),
    "target": Placement("linux/arm64", True, "emulated (qemu)"),
}
A = {"uses": "mystages.make"}
SPLIT = '''
    from engine.stage import In, Out
    def split(left: Out, right: Out, before: In | None = None, *, share: float = 1, name: str = "x") -> None:
        """Split."""
'''


@pytest.fixture
def checked(project):
    """Check a use case of these stages."""
    project.stage("split", SPLIT)

    def check_it(stages, **keys):
        usecase = spec.read({"name": "u", "stages": stages, **keys}, "u.yaml")[0]
        return check.check(
            usecase,
            Library(["mystages"], [project.path]),
            lambda spec, _: PLACES[spec.runs_on],
            "u.yaml",
        )

    return check_it


def _double(needs: str) -> dict[str, object]:
    return {"uses": "mystages.double", "inputs": {"number": needs}}


def test_the_jobs_come_in_an_order_that_may_be_run(checked):
    assert list(checked({"c": _double("b.data"), "b": _double("a.data"), "a": A}).jobs) == [
        "a",
        "b",
        "c",
    ]


def test_where_the_order_is_free_it_is_the_files(checked):
    assert list(checked({"z": A, "y": A, "x": _double("z.data")}).jobs) == ["z", "y", "x"]


def test_the_graph_has_an_edge_for_each_reference(checked):
    graph = checked({"a": A, "b": _double("a.data"), "c": _double("a.data")}).graph
    assert sorted(graph.edges) == [("a", "b"), ("a", "c")]


def test_what_the_yaml_leaves_out_is_the_signatures_default(checked):
    assert checked({"a": {**A, "params": {}}}).jobs["a"].params == {"n": 1}
    assert checked({"a": {**A, "params": {"n": 3}}}).jobs["a"].params == {"n": 3}


def test_a_whole_number_for_a_float_becomes_one(checked):
    for params in ({}, {"share": 1}):
        share = (
            checked({"a": {"uses": "mystages.split", "params": params}}).jobs["a"].params["share"]
        )
        assert (share, type(share)) == (1.0, float)


def test_an_optional_input_may_be_left_out(checked):
    assert checked({"a": {"uses": "mystages.split"}}).jobs["a"].inputs == {"before": None}


def test_a_null_asset_leaves_an_optional_input_out(checked):
    split = {"uses": "mystages.split", "inputs": {"before": "asset:mine"}}
    assert checked({"a": split}, assets={"mine": None}).jobs["a"].inputs == {"before": None}
    assert checked({"a": split}, assets={"mine": "x"}).jobs["a"].inputs == {
        "before": Reference(None, "mine")
    }


@pytest.mark.parametrize(("runs_on", "place"), PLACES.items())
def test_a_job_is_placed_where_its_stage_runs(checked, runs_on, place):
    job = checked({"a": {**A, "runs_on": runs_on}}).jobs["a"]
    assert job.placement == place


def test_the_outputs_of_a_command_are_the_yamls(checked):
    job = checked({"a": {"command": ["cp", "x", "{outputs.y}"], "outputs": ["y"]}}).jobs["a"]
    assert (job.outputs, job.contract.metrics, job.uses) == (
        ("y",),
        frozenset(),
        "cp x {outputs.y}",
    )


def test_a_gate_may_name_any_metric_of_a_stage_that_does_not_say_its_metrics(checked, project):
    project.stage(
        "free", "from engine.stage import Out\ndef free(data: Out) -> dict:\n    return {}\n"
    )
    assert checked({"a": {"uses": "mystages.free", "require": {"anything": "> 1"}}}).jobs


@pytest.mark.parametrize("objective", ["b.total", "free.anything"])
def test_an_objective_is_a_metric_of_a_stage(checked, project, objective):
    project.stage(
        "free", "from engine.stage import Out\ndef free(data: Out) -> dict:\n    return {}\n"
    )
    assert checked(
        {"a": A, "b": _double("a.data"), "free": {"uses": "mystages.free"}}, objective=objective
    ).jobs


def test_an_objective_under_the_former_name_of_its_stage_is_taken_with_a_warning(checked):
    stages = {"a": A, "b": {**_double("a.data"), "formerly": "old"}}
    assert checked(stages, objective="old.total").warnings == [
        "the objective old.total is now called b.total: write that instead"
    ]


# --- warnings


def test_an_asset_that_no_stage_reads_is_a_warning(checked):
    assert checked({"a": A}, assets={"mine": "x"}).warnings == ["no stage reads assets.mine"]


def test_a_null_asset_that_no_stage_reads_is_none(checked):
    assert checked({"a": A}, assets={"mine": None}).warnings == []


def test_an_output_that_no_stage_reads_is_a_warning_where_others_of_its_stage_are_read(checked):
    assert checked({"a": {"uses": "mystages.split"}, "b": _double("a.left")}).warnings == [
        "no stage reads a.right"
    ]


def test_the_results_of_a_last_stage_are_none(checked):
    assert checked({"a": {"uses": "mystages.split"}}).warnings == []


@pytest.mark.parametrize(
    ("objective", "fix"),
    [
        ("count.totl", "did you mean 'count.total'?"),
        ("cuont.total", "did you mean 'count.total'?"),
        ("count.speed", "choose one of: count.total"),
        ("a.total", "choose one of: b.total, count.total"),
    ],
)
def test_a_metric_of_another_stage_is_not_suggested(checked, objective, fix):
    stages = {"a": A, "b": _double("a.data"), "count": _double("a.data")}
    with pytest.raises(ExceptionGroup) as caught:
        checked(stages, objective=objective)
    assert [mistake.fix for mistake in caught.value.exceptions] == [fix]


def test_all_mistakes_come_at_once_and_in_the_order_of_the_file(checked):
    with pytest.raises(ExceptionGroup) as caught:
        checked(
            {"a": {"uses": "mystages.no"}, "b": _double("x.y"), "c": {**A, "params": {"m": 1}}},
            objective="c.loss",
        )
    assert [mistake.where for mistake in caught.value.exceptions] == [
        "u.yaml: stages.a.uses",
        "u.yaml: stages.b.inputs.number",
        "u.yaml: stages.c.params.m",
        "u.yaml: objective",
    ]


@pytest.mark.parametrize(
    ("where", "key"), [("image", "image"), ("", "runs_on"), ("target=t: device", "runs_on")]
)
def test_a_stage_without_a_place_is_reported_with_the_key_that_asks_for_it(project, where, key):
    def place(spec, contract):
        raise UserError(where, "there is none", "take another one")

    usecase = spec.read({"name": "u", "stages": {"a": A}}, "u.yaml")[0]
    with pytest.raises(ExceptionGroup) as caught:
        check.check(usecase, Library(["mystages"], [project.path]), place, "u.yaml")
    assert [str(one) for one in caught.value.exceptions] == [
        f"u.yaml: stages.a.{key}\n  there is none\n  take another one"
    ]


def test_all_outputs_of_a_foreach_are_one_input_and_an_edge_each(checked):
    found = checked({"a@0": A, "a@0.5": A, "b": _double("a@*.data"), "c": _double("a@0.5.data")})
    assert found.jobs["b"].inputs["number"].members == {"0": "a@0", "0.5": "a@0.5"}
    assert sorted(found.graph.edges) == [("a@0", "b"), ("a@0.5", "b"), ("a@0.5", "c")]
    assert found.warnings == []


@pytest.mark.parametrize("objective", ["b@1.total", "b.total.mean", "b.total.sd"])
def test_the_objective_may_be_of_one_value_or_over_all(checked, objective):
    stages = {"a": A, "b@1": _double("a.data"), "b@2": _double("a.data")}
    assert checked(stages, objective=objective).jobs.keys() == stages.keys()


@pytest.fixture
def checked_without(project):
    """Check a use case on a target that lacks these stages."""
    project.stage("split", SPLIT)

    def check_it(left_out, stages, **keys):
        usecase = spec.read({"name": "u", "stages": stages, **keys}, "u.yaml")[0]
        library, reasons = Library(["mystages"], [project.path]), dict.fromkeys(left_out, "why")
        return check.check(usecase, library, lambda *_: PLACES["build"], "u.yaml", reasons)

    return check_it


def test_an_optional_input_that_reads_a_stage_left_out_is_none(checked_without):
    found = checked_without(
        ["a"], {"a": A, "s": {"uses": "mystages.split", "inputs": {"before": "a.data"}}}
    )
    assert (list(found.jobs), found.jobs["s"].inputs, list(found.graph)) == (
        ["s"],
        {"before": None},
        ["s"],
    )


@pytest.mark.parametrize(("gone", "read"), [([], "a.data"), (["a"], "b.data"), (["a", "b"], None)])
def test_an_input_reads_its_first_alternative_that_is_planned(checked_without, gone, read):
    reader = {"uses": "mystages.split", "inputs": {"before": ["a.data", "b.data"]}}
    found = checked_without(gone, {"a": A, "b": A, "s": reader})
    assert found.jobs["s"].inputs["before"] == (Reference(*read.split(".")) if read else None)
    assert found.graph.edges == ([(read[0], "s")] if read else [])


def test_a_stage_that_is_not_planned_needs_no_asset(checked_without):
    stages = {"a": {**_double("asset:mine")}, "b": A}
    assert list(checked_without(["a"], stages, assets={"mine": None}).jobs) == ["b"]


def test_an_alternative_may_be_an_asset_that_is_null(checked_without):
    reader = {"uses": "mystages.double", "inputs": {"number": ["asset:mine", "a.data"]}}
    found = checked_without([], {"a": A, "s": reader}, assets={"mine": None})
    assert found.jobs["s"].inputs["number"] == Reference("a", "data")


def test_a_folder_input_has_the_values_that_are_there(checked_without):
    found = checked_without(["a@1"], {"a@1": A, "a@2": A, "b": _double("a@*.data")})
    assert found.jobs["b"].inputs["number"].each == ("2",)


def test_a_stage_left_out_is_checked_too(checked_without):
    with pytest.raises(ExceptionGroup) as caught:
        checked_without(["a"], {"a": {"uses": "mystages.no"}, "b": A})
    assert [one.where for one in caught.value.exceptions] == ["u.yaml: stages.a.uses"]


def test_an_asset_that_several_stages_lack_is_reported_once(checked):
    both = {name: _double("asset:mine") for name in ("a", "b")}
    with pytest.raises(ExceptionGroup) as told:
        checked(both, assets={"mine": None})
    assert [one.where for one in told.value.exceptions] == ["u.yaml: assets.mine"]
