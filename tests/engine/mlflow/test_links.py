"""A cached stage is a link to the MLflow run that computed it, or a run of its own if there is none."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")

from engine.mlflow import cursor as cursors
from engine.mlflow import links
from engine.mlflow.entries import Entry
from engine.mlflow.sync import sync
from tests.mlflow_runs import database, make_folder, snapshot

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of MLflow and its dependencies
STAGES = ("a", "b", "c", "d")

COMPUTED = {"r1/", *(f"r1/{stage}" for stage in STAGES)}


def fingerprint(stage: str) -> str:
    return stage.encode().hex().zfill(64)


@pytest.fixture
def runs(outputs: Path, events: Any, make_job: Any) -> Any:
    """Make runs of the stages: `computed` if they ran, `cached` if they were in the store."""

    def start(run_id: str) -> Any:
        events.events = []
        return events.start([make_job(stage) for stage in STAGES], run_id=run_id)

    def computed(run_id: str) -> Path:
        made = start(run_id)
        for stage in STAGES:
            made.started(stage, fingerprint=fingerprint(stage)).finished(stage, loss=0.5)
        return folder(run_id, made.done().events)

    def cached(run_id: str, end: str = "finished", passed: bool | None = None) -> Path:
        made = start(run_id)
        for stage in STAGES:
            points = [["loss", 0, 0.5, 1.7e9]]
            made.cached(stage, fingerprint=fingerprint(stage), metrics={"loss": 0.5}, points=points)
        if passed is not None:
            made.add("gate", stage="a", metric="loss", rule="<= 0.1", value=0.5, passed=passed)
        return folder(run_id, made.done(end).events)

    def folder(run_id: str, found: Any) -> Path:
        return make_folder(outputs, found, run_id)

    return {"computed": computed, "cached": cached}


def found(outputs: Path) -> dict[str, Any]:
    return snapshot(database(outputs))


def test_a_cached_stage_links_to_the_run_that_computed_it(outputs: Path, runs: Any) -> None:
    runs["computed"]("r1")
    runs["cached"]("r2")
    assert sync(outputs, {}).sent == ["r1", "r2"]
    recorded = found(outputs)
    assert set(recorded) == {"r2/", *COMPUTED}
    tags = recorded["r2/"]["tags"]
    assert (tags["rpi.cached.a"], tags["rpi.cached.b"]) == ("a", "b")  # ids, shown as their stages
    assert "[a](#/runs/" in tags["mlflow.note.content"]


def test_the_parent_has_all_metrics_of_linked_stages(outputs: Path, runs: Any) -> None:
    runs["computed"]("r1")
    runs["cached"]("r2")
    sync(outputs, {})
    recorded = found(outputs)
    assert (
        recorded["r2/"]["last"]
        == recorded["r1/"]["last"]
        == dict.fromkeys([f"{stage}.loss" for stage in STAGES], 0.5)
    )


def test_a_stage_that_this_mlflow_does_not_have_is_recorded_whole(outputs: Path, runs: Any) -> None:
    runs["cached"]("r2")
    sync(outputs, {})
    recorded = found(outputs)
    assert set(recorded) == {"r2/", *(f"r2/{stage}" for stage in STAGES)}
    assert recorded["r2/a"]["points"] and recorded["r2/a"]["files"] == []


def test_a_stage_whose_run_was_deleted_is_recorded_whole(outputs: Path, runs: Any) -> None:
    from mlflow.tracking import MlflowClient

    runs["computed"]("r1")
    sync(outputs, {})
    client = MlflowClient(database(outputs), registry_uri=database(outputs))
    experiment = client.get_experiment_by_name("demo").experiment_id
    (run,) = client.search_runs([experiment], "tags.`rpi.stage` = 'a'")
    client.delete_run(run.info.run_id)
    runs["cached"]("r2")
    sync(outputs, {})
    recorded = found(outputs)
    assert set(recorded) == {"r2/", "r2/a", *COMPUTED} - {"r1/a"}


def test_an_attempt_that_failed_computed_nothing(
    outputs: Path, runs: Any, events: Any, make_job: Any
) -> None:
    events.events = []
    made = events.start([make_job("a")], run_id="r1")
    made.started("a", fingerprint=fingerprint("a")).failed("a").done("failed")
    make_folder(outputs, made.events)
    runs["cached"]("r2")
    sync(outputs, {})
    assert "rpi.cached.a" not in found(outputs)["r2/"]["tags"]


def test_the_gate_of_a_linked_stage_is_said_on_the_parent(outputs: Path, runs: Any) -> None:
    runs["computed"]("r1")
    runs["cached"]("r2", "rejected", passed=False)
    sync(outputs, {})
    parent = found(outputs)["r2/"]
    assert parent["tags"]["rpi.gate.a.loss"] == "rejected: 0.5 (rule: <= 0.1)"
    assert parent["status"] == "FAILED"
    assert (
        found(outputs)["r1/a"]["status"] == "FINISHED"
    )  # the run that computed it is left as it is


def test_what_is_sent_again_is_linked_once(outputs: Path, runs: Any) -> None:
    runs["computed"]("r1")
    folder = runs["cached"]("r2")
    sync(outputs, {})
    before = found(outputs)
    (folder / cursors.FILE_NAME).unlink()
    assert sync(outputs, {}).sent == ["r2"]
    assert found(outputs) == before


def test_a_run_that_was_linked_half_way_goes_on_with_its_links(outputs: Path, runs: Any) -> None:
    runs["computed"]("r1")
    folder = runs["cached"]("r2", "rejected", passed=False)
    journal = folder / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:5]))
    sync(outputs, {})
    with journal.open("a") as file:
        file.writelines(lines[5:])
    assert sync(outputs, {}).sent == ["r2"]
    recorded = found(outputs)
    assert set(recorded) == {"r2/", *COMPUTED}
    assert "rpi.gate.a.loss" in recorded["r2/"]["tags"]


def test_stages_that_were_computed_together_are_found_together(outputs: Path, runs: Any) -> None:
    """One search for the first stage, and one for what the same run computed, however many stages."""
    from mlflow.tracking import MlflowClient

    class Counting(MlflowClient):  # type: ignore[misc]
        searches = 0

        def search_runs(self, *words: Any, **more: Any) -> Any:
            self.searches += 1
            return super().search_runs(*words, **more)

    runs["computed"]("r1")
    sync(outputs, {})
    client = Counting(database(outputs), registry_uri=database(outputs))
    assert set(links.find(client, list(map(fingerprint, STAGES)))) == set(map(fingerprint, STAGES))
    assert client.searches == 2


def test_what_is_no_fingerprint_is_not_searched_for() -> None:
    assert links.find(None, ["' OR 1=1", ""]) == {}


def test_the_note_names_some_stages_and_counts_the_others() -> None:
    said = links.note({f"s{number}": f"id{number}" for number in range(40)})
    assert said.startswith("Cached stages: [s0](#/runs/id0?") and said.endswith(" and 10 more")


def test_a_linked_stage_leaves_only_the_link() -> None:
    entry = Entry(
        "a",
        1,
        {"p": "1"},
        {"rpi.state": "finished", "rpi.gate.loss": "passed"},
        (("x", 1.0, 1, 0),),
    )
    assert links.redirected(entry, "id") == Entry(None, 1, tags={"rpi.cached.a": "id"})
