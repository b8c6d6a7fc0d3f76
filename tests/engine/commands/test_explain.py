"""`explain`: which part of a fingerprint changed."""


def _edit(project, name: str) -> None:
    path = project.path / "mystages" / f"{name}.py"
    path.write_text(path.read_text() + "# edited\n")


def test_what_never_ran_says_so(give):
    assert give("explain", "stage=a").lines == [
        "a: runs",
        "it has never finished for this use case and target",
    ]


def test_what_did_not_change_says_so(ran, give):
    assert give("explain").lines == [
        "a: cached",
        "b: cached",
        "c: cached",
    ]


def test_a_changed_parameter_is_named_with_both_values(ran, give):
    assert give("explain", "stage=a", "params.n=5").lines == ["a: runs", "parameter n: 3 -> 5"]


def test_an_edited_stage_is_named_with_its_file(ran, give):
    _edit(ran, "double")
    head, reason = give("explain", "stage=b").lines
    assert head == "b: runs" and reason.startswith("source mystages.double: ") and " -> " in reason


def test_what_waits_for_a_remade_input_names_it_and_nothing_else(ran, give):
    assert give("explain", "stage=c", "params.n=5").lines == [
        "c: runs",
        "input number: b runs again",
    ]


def test_a_stage_that_is_stale_by_itself_and_by_its_input_says_both(ran, give):
    _edit(ran, "double")
    reasons = give("explain", "stage=c").lines[1:]
    assert reasons[0].startswith("source mystages.double: ") and reasons[1:] == [
        "input number: b runs again"
    ]


def test_an_artifact_that_is_gone_is_the_reason(ran, give):
    ran.store.path(ran.state().stages["b"].outputs["data"]).unlink()
    assert give("explain", "stage=b").lines == [
        "b: runs",
        "its artifact in the store is damaged or missing",
    ]


def test_an_unknown_stage_names_the_nearest(give, project):
    project.usecase("one", "stages: {make: {uses: mystages.make}}")
    said = give("explain", "usecase=one", "stage=mak")
    assert (said.status, said.err) == (
        2,
        "stage=mak\n  there is no such stage\n  did you mean 'make'?\n",
    )


def test_a_forced_stage_says_so(ran, give):
    assert give("explain", "stage=b", "force=[b]").lines == ["b: runs", "forced to run again"]


def test_explaining_runs_nothing(ran, give):
    give("explain", "params.n=5")
    assert len(ran.runs) == 1


def test_a_stage_that_the_target_leaves_out_is_said_to_be(project, give):
    project.usecase(
        "one",
        "stages: {s: {when: {accelerator: edgetpu}, uses: mystages.make}}",
    )
    said = give("explain", "usecase=one", "stage=s")
    assert said.status == 2
    assert "this plan leaves it out" in said.err and "accelerator must be edgetpu" in said.err


def test_a_run_may_be_chosen_to_compare_with_and_is_named(ran, give):
    give("params.n=4", "name=four")
    give("params.n=5")
    said = give("explain", "stage=a", "run=four", "params.n=6")
    assert said.lines == ["a: runs", "parameter n: 4 -> 6"]
    assert said.err == f"compared with run {ran.runs[1].name} (four)\n"
