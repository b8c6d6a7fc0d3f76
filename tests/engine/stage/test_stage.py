"""The inside of a job: `python -m engine.stage FOLDER`, run as in an image of the target."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine import stage

ROOT = Path(__file__).resolve().parents[3]
INSIDE = ROOT / "engine" / "stage"
SOURCES = sorted(INSIDE.rglob("*.py"))


@pytest.fixture
def runs(tmp_path):
    """Run a stage with this body in a job folder; return the process and its result."""
    job = tmp_path / "job"
    (job / "out").mkdir(parents=True)
    (tmp_path / "mine").mkdir()

    def run(body, params=None, **more):
        text = (
            "import os, sys\nfrom engine import stage\nfrom engine.stage import *\nfrom engine.stage.figures import *\nfrom "
            f"engine.stage import StageError\ndef act(data, before=None, **params):\n    {body}\n"
        )
        (tmp_path / "mine" / "act.py").write_text(text)
        described = {
            "module": "mine.act",
            "function": "act",
            "inputs": {"before": None},
            "outputs": {"data": str(job / "out" / "data")},
            "params": params or {},
        }
        (job / "job.json").write_text(json.dumps({**described, **more}))
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-m", "engine.stage", str(job)],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
        )
        path = job / "result.json"
        return ended, json.loads(path.read_text()) if path.exists() else None

    run.job = job
    return run


def _said(runs) -> list[dict[str, object]]:
    return [json.loads(line) for line in (runs.job / "events.jsonl").read_text().splitlines()]


def test_a_stage_writes_its_outputs_and_its_metrics(runs):
    ended, result = runs("data.write_text('1'); return {'n': 2, 'share': 0.5}")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert result == {"metrics": {"n": 2.0, "share": 0.5}}
    assert (runs.job / "out" / "data").read_text() == "1"


def test_what_a_stage_prints_and_complains_of_keeps_its_order(runs):
    ended, _ = runs(
        "for n in range(50): print(n, file=(sys.stdout, sys.stderr)[n % 2], flush=True)"
    )
    assert ended.stdout.split() == [str(n) for n in range(50)]


@pytest.mark.parametrize(
    ("more", "label"),
    [({"measured_on": "emulated (qemu)"}, "emulated (qemu)"), ({}, os.uname().machine)],
    ids=["labelled", "bare"],
)
def test_a_stage_is_told_where_its_figures_are_taken(runs, more, label):
    ended, _ = runs("print(stage.measuring_on(), end=''); return None", **more)
    assert ended.stdout == label


def test_paths_come_as_paths_and_parameters_as_they_are(runs):
    _, result = runs(
        "print(type(data).__name__, before, params); return None", {"list": [1, None], "text": "ü"}
    )
    assert result == {"metrics": {}}


def test_an_input_is_a_path(runs, tmp_path):
    ended, _ = runs("print(before.name)", inputs={"before": str(tmp_path / "here")})
    assert ended.stdout == "here\n"


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("{'loss': float('nan')}", "metrics must be finite numbers: loss = nan"),
        ("{'loss': float('-inf')}", "metrics must be finite numbers: loss = -inf"),
        ("{'a': 1, 'b': 'x', 'c': None}", "metrics must be finite numbers: b = 'x', c = None"),
        ("{'ok': True}", "metrics must be finite numbers: ok = True"),
        ("[1]", "the stage returned list, not a dictionary of metrics"),
    ],
    ids=["nan", "infinite", "text", "truth", "list"],
)
def test_metrics_that_are_no_numbers_are_refused(runs, returned, said):
    ended, result = runs(f"return {returned}")
    assert (ended.returncode, result, ended.stdout) == (1, {"error": said}, f"error: {said}\n")


def test_a_stage_error_is_a_sentence_without_a_traceback(runs):
    ended, result = runs("raise StageError('no pictures')")
    assert (ended.returncode, result, ended.stdout) == (
        1,
        {"error": "no pictures"},
        "error: no pictures\n",
    )


def test_another_exception_is_reported_in_its_last_line_and_keeps_its_traceback(runs):
    ended, result = runs("1 / 0")
    assert (ended.returncode, result) == (1, {"error": "ZeroDivisionError: division by zero"})
    assert ended.stdout.splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_a_traceback_begins_with_the_stage(runs):
    ended, _ = runs("1 / 0")
    assert ended.stdout.splitlines()[0] == "Traceback (most recent call last):"
    assert "act.py" in ended.stdout and "engine/stage" not in ended.stdout


def test_an_interrupt_of_its_own_is_a_failure(runs):
    ended, result = runs("raise KeyboardInterrupt")
    assert (ended.returncode, result) == (1, {"error": "KeyboardInterrupt"})


@pytest.mark.parametrize(
    "stream",
    [
        "sys.stderr.close()",
        "sys.stderr = None",
        "os.close(2)",
        "sys.stdout.close(); sys.stderr.close()",
    ],
)
@pytest.mark.parametrize(
    ("failing", "left"),
    [
        ("raise StageError('no pictures')", {"error": "no pictures"}),
        ("1 / 0", {"error": "ZeroDivisionError: division by zero"}),
        ("sys.exit('no luck')", {"exit_status": 1}),
    ],
)
def test_a_failure_is_told_also_where_the_stage_has_closed_its_log(runs, stream, failing, left):
    assert runs(f"{stream}; {failing}")[1] == left


def test_numbers_of_numpy_are_metrics_progress_and_points(runs):
    ended, result = runs(
        "import numpy as np; progress(np.int64(1), np.array(2.0)); metric('loss', np.float32(0.5), "
        "np.array([3])); return {'a': np.float32(0.25), 'b': np.int8(3), 'c': np.array(1.5)}"
    )
    assert ended.returncode == 0, ended.stdout
    assert result == {"metrics": {"a": 0.25, "b": 3.0, "c": 1.5}}
    assert [(one.get("done"), one.get("value"), one.get("step")) for one in _said(runs)] == [
        (1, None, None),
        (None, 0.5, 3),
    ]


@pytest.mark.parametrize("value", ["np.zeros(2)", "np.bool_(True)", "np.float32('nan')", "'1'"])
def test_a_metric_that_is_no_number_is_refused(runs, value):
    error = runs(f"import numpy as np; return {{'n': {value}}}")[1]["error"]
    assert error.startswith("metrics must be finite numbers: n = ")


def test_a_metric_of_hundreds_of_digits_is_refused(runs):
    assert runs("return {'n': 10 ** 400}")[1]["error"].startswith(
        "metrics must be finite numbers: n = 1000"
    )


def test_a_metric_of_thousands_of_digits_is_refused(runs):
    assert runs("return {'n': 10 ** 5000}")[1] == {
        "error": "metrics must be finite numbers: n = a number of thousands of digits"
    }


def test_what_a_stage_says_is_of_the_types_of_the_event(runs):
    from_numpy = (
        "import fractions, pathlib; progress(fractions.Fraction(1, 2), True, None); "
        "metric(123, '1.5', 2.0); note(pathlib.Path('x'))"
    )
    ended, _ = runs(
        f"{from_numpy}; confusion_matrix(7, [0, None], [[1.0]]); op_graph(8, [{{'type': 1, 'mapped': "
        f"0, 'reason': 2}}], [])"
    )
    assert ended.returncode == 0, ended.stdout
    said = _said(runs)
    assert all(event.pop("time") for event in said)
    assert said == [
        {"event": "progress", "done": 0.5, "total": 1, "message": "None"},
        {"event": "metric", "name": "123", "value": 1.5, "step": 2},
        {"event": "note", "text": "x"},
        {
            "event": "figure",
            "kind": "confusion_matrix",
            "name": "7",
            "labels": ["0", "None"],
            "matrix": [[1]],
        },
        {
            "event": "figure",
            "kind": "op_graph",
            "name": "8",
            "nodes": [{"type": "1", "mapped": False, "reason": "2"}],
            "edges": [],
        },
    ]


def test_the_names_of_metrics_are_text(runs):
    assert runs("return {1: 2, os.fsdecode(b'caf\\xe9'): 3}")[1] == {
        "metrics": {"1": 2.0, "caf\\xe9": 3.0}
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [(r"os.fsdecode(b'caf\xe9')", r"caf\xe9"), (r"'\ud800'", r"\ud800"), ("'ü'", "ü")],
)
def test_text_that_is_not_utf_8_is_shown_by_its_bytes(runs, name, shown):
    ended, _ = runs(f"note({name})")
    assert ended.returncode == 0 and [event["text"] for event in _said(runs)] == [shown]


def test_there_is_one_stage_module_in_a_job(runs):
    ended, _ = runs(
        "assert sys.modules['__main__'].__dict__ is not stage.__dict__; stage.note('heard')"
    )
    assert ended.returncode == 0, ended.stdout
    assert [event["text"] for event in _said(runs)] == ["heard"]


def test_what_a_stage_says_is_a_line_each_with_its_time(runs):
    runs(
        "progress(1, 1, 'all'); metric('loss', 1, 2); note('ü'); confusion_matrix('int8', ['a', 'b'], "
        "[[1, 2], [3, 4]])"
    )
    said = _said(runs)
    assert all(event.pop("time") > 1e9 for event in said)
    assert said == [
        {"event": "progress", "done": 1, "total": 1, "message": "all"},
        {"event": "metric", "name": "loss", "value": 1.0, "step": 2},
        {"event": "note", "text": "ü"},
        {
            "event": "figure",
            "kind": "confusion_matrix",
            "name": "int8",
            "labels": ["a", "b"],
            "matrix": [[1, 2], [3, 4]],
        },
    ]


def test_a_graph_is_said_with_what_is_mapped_and_why_not(runs):
    runs(
        "op_graph('g', [{'type': 'ADD', 'mapped': True, 'reason': None}, {'type': 'ABS', 'mapped': 0, "
        "'reason': 'no', 'index': 1}], {(0, 1)})"
    )
    (said,) = _said(runs)
    assert {key: said[key] for key in said.keys() - {"time"}} == {
        "event": "figure",
        "kind": "op_graph",
        "name": "g",
        "edges": [[0, 1]],
        "nodes": [
            {"type": "ADD", "mapped": True, "reason": None},
            {"type": "ABS", "mapped": False, "reason": "no"},
        ],
    }


def test_of_much_progress_few_lines_come_and_always_the_last(runs):
    runs("[progress(n + 1, 10_000) for n in range(10_000)]")
    said = _said(runs)
    assert said[-1]["done"] == 10_000 and len(said) < 1000


def test_a_command_takes_the_processs_place(runs):
    ended, result = runs("pass", command=["sh", "-c", "echo to the log; exit 5"])
    assert (ended.returncode, ended.stdout, result) == (5, "to the log\n", None)


def test_a_command_that_is_not_installed_is_named(runs):
    ended, result = runs("pass", command=["no-such-program", "x"])
    assert (ended.returncode, ended.stdout) == (1, "error: no-such-program: not found on PATH\n")
    assert result == {"error": "no-such-program: not found on PATH"}


def test_a_command_that_must_not_be_executed_is_named_with_the_cause(runs, tmp_path):
    ended, result = runs("pass", command=[str(tmp_path)])
    assert (ended.returncode, result) == (1, {"error": f"{tmp_path}: Permission denied"})


def test_a_bare_call_says_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stage.progress(1, 1)
    stage.metric("loss", 1.0, 1)
    stage.note("x")
    assert list(tmp_path.iterdir()) == []


# --- checkpoints


def test_a_stage_finds_what_its_last_attempt_kept(runs, tmp_path):
    body = """kept = checkpoint() / 'epoch'
    epoch = int(kept.read_text()) if kept.exists() else 0
    kept.write_text(str(epoch + 1))
    if epoch == 0: os.kill(os.getpid(), 9)
    data.write_text(str(epoch))"""
    where = {"checkpoint": str(tmp_path / "store" / "ab")}
    assert [runs(body, **where)[0].returncode for _ in range(2)] == [-9, 0]
    assert (runs.job / "out" / "data").read_text() == "1"


def test_each_bare_call_has_an_empty_checkpoint_folder_that_goes_with_the_process(tmp_path):
    code = """from engine.stage import checkpoint
(checkpoint() / "x").touch()
print(checkpoint(), *checkpoint().iterdir())"""
    env = {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    [folder] = said.stdout.split()
    assert Path(folder).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_written_durably_has_its_new_content_after_the_block(tmp_path):
    path = tmp_path / "state"
    path.write_text("old")
    with stage.durable_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_in_the_block_leaves_the_old_content(tmp_path):
    path = tmp_path / "state"
    path.write_text("old")
    with pytest.raises(ValueError), stage.durable_file(path) as file:
        file.write(b"ne")
        raise ValueError
    assert path.read_text() == "old"


# --- a small image


OPTIONAL = {  # what an MLflow Project's environment may have, imported inside functions
    "project": {"mlflow"},
    "project_runs": {"mlflow"},
}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_it_imports_the_standard_library_alone(source):
    tree = ast.parse(source.read_text())
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    modules = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names |= {str(node.module).split(".")[0] for node in modules}
    assert names - {"engine"} - OPTIONAL.get(source.stem, set()) <= sys.stdlib_module_names
    of_the_engine = {
        f"{node.module}.{node.names[0].name}" for node in modules if "engine" in str(node.module)
    }
    assert all(name.startswith("engine.stage") for name in of_the_engine)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_it_has_no_newer_syntax_than_python_3_9(source):
    tree = ast.parse(source.read_text(), feature_version=(3, 9))
    keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    assert not {"slots", "kw_only"} & keywords, "of dataclasses since Python 3.10"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_its_annotations_are_read_by_python_3_9(source):
    tree = ast.parse(source.read_text())
    annotations = [
        node.annotation
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation
    ]
    annotations += [
        node.returns
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.returns
    ]
    assert [
        ast.unparse(one)
        for one in annotations
        if any(isinstance(node, ast.BitOr) for node in ast.walk(one))
    ] == []


def test_an_engine_without_any_other_file_runs_a_stage(runs, tmp_path):
    alone = tmp_path / "image"
    (alone / "engine").mkdir(parents=True)
    (alone / "engine" / "__init__.py").touch()
    shutil.copytree(INSIDE, alone / "engine" / "stage")
    runs("data.write_text('1'); return {'n': 1}")
    (runs.job / "result.json").unlink()
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(tmp_path), str(alone)])}
    ended = subprocess.run(
        [sys.executable, "-S", "-m", "engine.stage", str(runs.job)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    assert json.loads((runs.job / "result.json").read_text()) == {"metrics": {"n": 1.0}}


def test_a_stage_may_say_that_its_figures_were_measured_elsewhere(runs):
    body = "open(data, 'w').close(); measured_on('device'); return {'a': 1}"
    assert runs(body)[1] == {"metrics": {"a": 1.0}, "measured_on": "device"}
