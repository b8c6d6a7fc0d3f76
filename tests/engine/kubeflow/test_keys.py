"""Cache keys: the same for the same work, and different if anything that a result depends on changes."""

from engine.kubeflow import keys

CHAIN = """
  a: {uses: mystages.make, params: {n: 3}}
  b: {uses: mystages.double, inputs: {number: a.data}}
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


def test_the_keys_of_the_same_plan_are_equal(mine):
    assert mine(CHAIN).pipeline.keys == mine(CHAIN).pipeline.keys


def test_a_changed_parameter_changes_the_keys_of_the_stage_and_of_all_that_follow(mine):
    before, after = (
        mine(CHAIN).pipeline.keys,
        mine(CHAIN, "stages.b.uses=mystages.double").pipeline.keys,
    )
    assert before == after
    after = mine(CHAIN, "stages.a.params.n=4").pipeline.keys
    assert all(before[stage] != after[stage] for stage in before)


def test_a_changed_source_changes_the_keys(mine, project):
    before = mine(CHAIN).pipeline.keys
    source = project.path / "mystages" / "double.py"
    source.write_text(source.read_text().replace("2 * int", "3 * int"))
    after = mine(CHAIN).pipeline.keys
    assert (before["a"] == after["a"], before["b"] == after["b"]) == (True, False)


def test_a_changed_asset_changes_the_keys(mine, project):
    numbers = project.path / "numbers"
    numbers.write_text("1")
    reads = f"  b: {{uses: mystages.double, inputs: {{number: 'asset:numbers'}}}}\nassets: {{numbers: {numbers}}}\n"
    before = mine(reads).pipeline.keys
    numbers.write_text("22")
    assert mine(reads).pipeline.keys != before


def test_a_folder_of_entries_has_a_key_for_each_of_them(mine, project):
    project.stage("gather", GATHER)
    before = mine(EACH).pipeline.keys
    after = mine(EACH.replace("[1, 2]", "[1, 3]")).pipeline.keys
    assert before["a@1"] == after["a@1"]
    assert before["b"] != after["b"]


def test_the_key_of_a_gate_depends_on_its_rules_and_its_stage():
    found = {keys.of_gates(key, {"total": rule}) for key in ("1", "2") for rule in (">= 1", ">= 2")}
    assert len(found) == 4
