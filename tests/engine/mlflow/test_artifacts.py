"""What is unchanged costs no disk in a local MLflow, and the store is safe from what happens there."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")

from engine import store
from engine.mlflow import artifacts
from engine.mlflow import cursor as cursors
from engine.mlflow.sync import sync
from tests.mlflow_runs import FIGURE, database, make_folder, snapshot, whole_run

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of MLflow and its dependencies


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    """An output as it is laid out from the store: read-only, with a folder inside."""
    made = tmp_path / "store" / "out"
    (made / "inner").mkdir(parents=True)
    for file in (made / "a", made / "inner" / "b"):
        file.write_text(file.name)
        file.chmod(0o444)
    yield made


def shares(one: Path, other: Path) -> bool:
    """True for two names of one file; reflinks cannot be told from copies, and are no worse."""
    can_clone = store.clone(other, other.with_name(f"{other.name}.clone"))
    return can_clone or one.samefile(other)


def test_a_read_only_output_is_referenced(source: Path, tmp_path: Path) -> None:
    artifacts.refer(source, tmp_path / "run" / "artifacts")
    target = tmp_path / "run" / "artifacts" / "out"
    assert shares(target / "a", source / "a") and shares(
        target / "inner" / "b", source / "inner" / "b"
    )
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["artifacts"]


def test_a_file_that_somebody_may_write_is_copied(source: Path, tmp_path: Path) -> None:
    (source / "a").chmod(0o644)
    artifacts.refer(source, tmp_path / "run" / "artifacts")
    assert not (tmp_path / "run" / "artifacts" / "out" / "a").samefile(source / "a")


def test_what_is_referenced_again_replaces_the_name_and_not_the_file(
    source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run" / "artifacts"
    artifacts.refer(source, folder)
    other = tmp_path / "other" / "out"
    other.mkdir(parents=True)
    (other / "a").write_text("changed")
    artifacts.refer(other, folder)
    assert [path.name for path in (folder / "out").iterdir()] == ["a"]
    assert (folder / "out" / "a").read_text() == "changed" and (source / "a").read_text() == "a"


def test_artifacts_can_be_removed_without_harm_to_their_source(
    source: Path, tmp_path: Path
) -> None:
    artifacts.refer(source, tmp_path / "run" / "artifacts")
    shutil.rmtree(tmp_path / "run")
    assert (source / "a").read_text() == "a" and (source / "a").stat().st_mode & 0o777 == 0o444


def test_symbolic_links_are_not_referenced(source: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (source / "link").symlink_to(tmp_path / "secret")
    artifacts.refer(source, tmp_path / "run" / "artifacts")
    assert not (tmp_path / "run" / "artifacts" / "out" / "link").exists()


def test_a_copy_shares_what_it_has_of_its_source(source: Path, tmp_path: Path) -> None:
    copied = tmp_path / "model"
    artifacts.copy(source, copied)
    (copied / "inner" / "b").write_text("changed since")
    artifacts.share(copied, source)
    assert shares(copied / "a", source / "a")
    assert (copied / "inner" / "b").read_text() == "changed since"
    assert sorted(path.name for path in copied.iterdir()) == ["a", "inner"]


def test_a_recorded_run_costs_no_disk_for_its_outputs(
    outputs: Path, events: Any, make_job: Any
) -> None:
    folder = make_folder(outputs, whole_run(events, make_job))
    sync(outputs, {})
    recorded = outputs.glob("mlartifacts/demo/*/artifacts/out")
    (split,) = [path for path in recorded if path.read_text() == "made by split"]
    assert shares(split, folder / "artifacts" / "split" / "out")


def test_outputs_that_are_sent_again_are_the_same(
    outputs: Path, events: Any, make_job: Any
) -> None:
    folder = make_folder(outputs, whole_run(events, make_job))
    sync(outputs, {})
    before = snapshot(database(outputs))
    (folder / cursors.FILE_NAME).unlink()
    assert sync(outputs, {}).sent == ["r1"]
    assert snapshot(database(outputs)) == before
    assert (folder / "artifacts" / "split" / "out").read_text() == "made by split"


def test_a_figure_is_its_data_and_a_page_that_draws_it(tmp_path: Path) -> None:
    artifacts.write_figures([FIGURE], tmp_path)
    data, page = (next(tmp_path.glob(f"*{suffix}")) for suffix in (".json", ".html"))
    assert json.loads(data.read_text())["matrix"] == FIGURE["matrix"]
    text = page.read_text()
    assert "<svg" in text and "secret" not in text + data.read_text()


def test_figures_of_other_names_and_kinds_have_files_of_their_own(tmp_path: Path) -> None:
    names = ["a b", "a/b", "a_b", "../a", "ü" * 250, "ü" * 249]
    figures = [{"kind": kind, "name": name} for kind in ("globe", "../x") for name in names]
    artifacts.write_figures([*figures, *figures], tmp_path)
    assert len(list(tmp_path.iterdir())) == len(figures)
