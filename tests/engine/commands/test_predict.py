"""`predict`: the packed model of the newest run, on a user's file or folder."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from engine import layout
from engine.containers.options import LABEL
from tests.contained import HERE, Contained

PACK = """
    from engine.stage import Out
    def pack(package: Out, *, factor: int = 2) -> None:
        package.mkdir()
        (package / "factor").write_text(str(factor))
"""
LOOK = '''
    import json
    from engine.stage import In, Out, StageError
    def look(package: In, source: In, predictions: Out, *, annotate: bool = False) -> None:
        """Multiply each word of a file by the factor of the package."""
        factor = int((package / "factor").read_text())
        words = source.read_text().split()
        if "bad" in words:
            raise StageError("'bad' is no number")
        predictions.mkdir()
        rows = [{"word": word, "times": factor * int(word), "score": 0.5} for word in words]
        (predictions / "predictions.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
        for word in words if annotate else []:
            (predictions / "annotated").mkdir(exist_ok=True)
            (predictions / "annotated" / f"{word}.txt").write_text(str(factor * int(word)))
'''
WATCH = """
    import json, signal, time
    from engine.stage import In, Out, note
    def watch(package: In, predictions: Out, source: In | None = None, *, stream: str = "") -> None:
        asked = []
        signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
        predictions.mkdir()
        with (predictions / "predictions.jsonl").open("w") as file:
            print(json.dumps({"word": "0"}), file=file, flush=True)
            while not asked:
                time.sleep(0.01)
            print(json.dumps({"word": "the last"}), file=file, flush=True)
        note("asked to end")
"""
PACKED = (
    "name: packed\nparams: {factor: 2}\npredict: mystages.look\nstages: {p: {uses: mystages.pack, "
    "params: {factor: '${params.factor}'}}}\n"
)


@pytest.fixture
def packed(project, give):
    """A run that packed a model."""
    project.stage("pack", PACK)
    project.stage("look", LOOK)
    project.usecase("packed", PACKED)
    (project.path / "words").write_text("1 20")
    assert give("usecase=packed").status == 0
    return project


@pytest.fixture
def predict(packed, give):
    """Run `predict`."""
    return lambda *words: give("predict", "usecase=packed", *words)


def test_what_the_model_says_is_a_table(predict):
    assert [line.split() for line in predict("input=words").lines] == [
        ["word", "times", "score"],
        ["1", "2", "0.500"],
        ["20", "40", "0.500"],
    ]


def test_a_value_that_is_null_is_an_empty_cell(predict, packed):
    packed.stage("look", LOOK.replace('"score": 0.5', '"time_s": None'))
    assert [line.split() for line in predict("input=words").lines] == [
        ["word", "times", "time_s"],
        ["1", "2"],
        ["20", "40"],
    ]


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_what_the_model_says_is_a_line_of_json_each(predict, form):
    assert [
        json.loads(line)["times"] for line in predict("input=words", f"format={form}").lines
    ] == [2, 40]


def test_where_nothing_is_recognised_it_says_so(predict, packed):
    (packed.path / "words").write_text("")
    said = predict("input=words")
    assert (said.status, said.lines) == (0, ["nothing was recognised"])


def test_the_newest_finished_run_is_asked_and_an_older_one_by_its_id(predict, packed, give):
    older = packed.last.name
    give("usecase=packed", "params.factor=3")
    assert [
        json.loads(predict("input=words", "format=jsonl", *words).lines[0])["times"]
        for words in ([], [f"run={older}"])
    ] == [3, 2]


def test_a_complete_run_comes_before_a_newer_one_that_until_ended(predict, packed, give):
    packed.usecase("packed", PACKED.replace("{p:", "{after: {uses: mystages.make}, p:"))
    assert give("usecase=packed").status == 0
    complete = packed.last.name
    assert give("usecase=packed", "until=[p]", "params.factor=3").status == 0
    assert complete in predict("input=words").err


def test_a_newer_run_that_failed_is_passed_over(predict, packed, give):
    (packed.path / "mystages" / "pack.py").write_text(
        "from engine.stage import Out\ndef pack(package: Out, *, factor: int = 2) -> None:\n    1 / 0\n"
    )
    assert give("usecase=packed").status == 1
    assert json.loads(predict("input=words", "format=jsonl").lines[0])["times"] == 2


def test_one_annotated_file_is_written_where_the_user_wants_it(predict, packed):
    (packed.path / "words").write_text("4")
    assert predict("input=words", "output=mine.txt").status == 0
    assert (packed.path / "mine.txt").read_text() == "8"


def test_several_annotated_files_are_written_into_a_folder(predict, packed):
    predict("input=words", "output=mine")
    assert sorted(path.name for path in (packed.path / "mine").iterdir()) == ["1.txt", "20.txt"]


def test_a_folder_of_results_is_written_again(predict, packed):
    for _ in range(2):
        assert predict("input=words", "output=mine").status == 0


def test_a_place_that_cannot_be_written_is_reported_before_the_work(predict):
    said = predict("input=words", "output=words/out")
    assert (said.status, said.out) == (2, "")
    assert said.err.splitlines()[1:] == [
        "output=words/out",
        "  it cannot be written: File exists",
        "  choose a file in a writable folder",
    ]


@pytest.mark.parametrize(
    ("given", "output"), [("words", "words"), ("folder", "folder"), ("folder", "folder/a.txt")]
)
def test_the_input_is_never_overwritten(predict, packed, given, output):
    (packed.path / "folder").mkdir()
    (packed.path / "folder/a.txt").write_text("the user's")
    said = predict(f"input={given}", f"output={output}")
    assert (said.status, said.out) == (2, "")
    assert said.err.splitlines()[1:] == [
        f"output={output}",
        f"  this would overwrite the input, input={given}",
        "  name another file or folder",
    ]
    assert (packed.path / "words").read_text() == "1 20"


def test_without_an_output_nothing_is_annotated(predict, packed):
    before = sorted(packed.path.iterdir())
    predict("input=words")
    assert sorted(packed.path.iterdir()) == before


def test_a_stage_that_fails_shows_its_log_and_ends_with_status_1(predict, packed):
    (packed.path / "words").write_text("bad")
    said = predict("input=words")
    assert (said.status, said.out, said.err.splitlines()[-1]) == (
        1,
        "",
        "error: 'bad' is no number",
    )


def test_it_is_no_run_and_leaves_no_work_behind(predict, packed):
    predict("input=words")
    assert len(packed.runs) == 1 and not list((packed.store.root / "work").iterdir())


def test_the_package_stays_as_it_was(predict, packed):
    before = packed.artifacts()
    predict("input=words", "output=mine")
    assert packed.artifacts() == before


def test_a_polite_kill_leaves_nothing_behind(packed):
    begun = packed.path / "begun"
    slow = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)"
    packed.stage("look", LOOK.replace("factor = int(", f"{slow}\n        factor = int(", 1))
    process = packed.start("predict", "usecase=packed", "input=words")
    packed.until(begun.exists)
    process.terminate()
    process.communicate()
    assert process.returncode == 130
    packed.until(lambda: not packed.processes())
    assert not list(layout.store_dir(packed.outputs).glob("work/*"))


def test_a_process_says_the_same(packed):
    result = packed.run("predict", "usecase=packed", "input=words", "format=jsonl")
    assert (result.returncode, result.stderr, len(result.stdout.splitlines())) == (
        0,
        f"the model of run {packed.last.name} (packed)\n",
        2,
    )


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            "os.symlink({private!r}, predictions)",
            "look: output 'predictions' contains a symbolic link",
        ),
        (
            "predictions.mkdir(); (predictions / 'annotated').symlink_to({private!r})",
            "look: output 'predictions' contains a symbolic link",
        ),
        (
            "predictions.mkdir(); os.mkfifo(predictions / 'predictions.jsonl')",
            "look: output 'predictions' contains predictions/predictions.jsonl, which",
        ),
        (
            "import shutil; shutil.rmtree(predictions.parent); os.symlink({private!r}, predictions.parent)",
            "look: its folder out/",
        ),
        (
            "predictions.mkdir(); (predictions / 'predictions.jsonl').write_text('[1]')",
            "look: it wrote no predictions.jsonl",
        ),
        ("predictions.mkdir()", "look: it wrote no predictions.jsonl"),
        ("predictions.write_text('')", "look: it wrote no predictions.jsonl"),
    ],
    ids=["a link", "a link inside", "a FIFO", "a link for out/", "a list", "nothing", "a file"],
)
def test_a_stage_that_leaves_anything_else_than_predictions_is_refused_and_nothing_is_copied(
    predict, packed, code, why
):
    private = packed.path / "private"
    private.mkdir()
    for name in ("predictions", "key"):
        (private / name).write_text("secret")
    code = code.replace("{private!r}", repr(str(private)))
    packed.stage(
        "look",
        "import os\nfrom engine.stage import In, Out\ndef look(package: In, source: In, predictions: "
        f"Out) -> None:\n    {code}\n",
    )
    said = predict("input=words", "output=shown")
    assert (said.status, "Traceback" in said.err) == (1, False) and why in said.err
    assert "secret" not in said.out and not (packed.path / "shown").exists()
    assert (private / "key").read_text() == "secret"


@pytest.mark.parametrize("there", ["/proc/kmsg", "/proc", "/dev/zero", "pipe", "inside"])
def test_an_input_that_never_ends_is_refused_before_a_stage_starts(predict, packed, there):
    (packed.path / "inside").mkdir()
    os.mkfifo(packed.path / "pipe")
    os.mkfifo(packed.path / "inside" / "pipe")
    said = predict(f"input={there}")
    assert said.status == 2 and (
        "neither a file nor a folder" in said.err or "a file system of the kernel" in said.err
    )


@pytest.mark.parametrize("where", ["0", "rtsp://camera/1"])
def test_a_stage_that_reads_no_camera_says_so(predict, where):
    said = predict(f"input={where}")
    assert (said.status, said.out) == (2, "")
    assert f"input={where}\n  'mystages.look' cannot read cameras or streams\n" in said.err


@pytest.fixture
def watching(project, give):
    """A run whose use case reads cameras and streams."""
    project.stage("pack", PACK)
    project.stage("watch", WATCH)
    project.usecase("packed", PACKED.replace("look", "watch"))
    assert give("usecase=packed").status == 0
    return project


def test_a_camera_that_is_not_there_is_named(watching, give):
    said = give("predict", "usecase=packed", "input=999")
    assert (said.status, said.out) == (2, "")
    assert "input=999\n  this machine has no camera 999: /dev/video999 does not exist\n" in said.err
    assert "input=" in said.err.splitlines()[-1] or "connect a camera" in said.err.splitlines()[-1]


def test_a_camera_that_may_not_be_read_is_reported_with_its_group(watching, give, monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda path: True)  # root may read every existing one
    said = give("predict", "usecase=packed", "input=999")
    assert said.status == 2
    assert (
        "you do not have permission to read /dev/video999\n" in said.err
        and "usermod -aG video" in said.err
    )


def test_rows_are_shown_while_the_stage_runs(watching):
    process = watching.start("predict", "usecase=packed", "input=x://1", "format=jsonl")
    assert json.loads(process.stdout.readline())["word"] == "0"
    assert process.poll() is None  # it waits to be asked
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert [json.loads(line)["word"] for line in out.splitlines()] == ["the last"]
    assert process.returncode == 130
    assert "note: asked to end\n" in err


def test_a_table_of_rows_that_come_one_by_one_has_one_head(watching):
    process = watching.start("predict", "usecase=packed", "input=x://1")
    head = [process.stdout.readline().split() for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert (*head, out.split()) == (["word"], ["0"], ["the", "last"])


def test_what_a_stage_notes_is_shown(predict, packed):
    noting = LOOK.replace("predictions.mkdir()", "note('a word'); predictions.mkdir()")
    packed.stage("look", noting.replace("In, Out", "In, note, Out"))
    assert predict("input=words").err.splitlines()[1:] == ["note: a word"]


def test_a_package_that_names_no_task_is_refused(packed, give):
    packed.usecase("packed", PACKED.replace("predict: mystages.look", "task: activity"))
    said = give("predict", "usecase=packed", "input=words")
    assert (said.status, said.out) == (2, "")
    assert (
        "manifest.json\n  the manifest is damaged: it does not name a task\n  run the use case"
        in said.err
    )


def test_a_manifest_that_is_nested_without_end_names_no_task(packed, give):
    packed.usecase("packed", PACKED.replace("predict: mystages.look", "task: activity"))
    (package,) = packed.last.glob("artifacts/*/package")
    (package / "manifest.json").write_text("[" * 100_000)
    said = give("predict", "usecase=packed", "input=words")
    assert (said.status, said.out) == (2, "")
    assert (
        "manifest.json\n  the manifest is damaged: it does not name a task\n  run the use case"
        in said.err
    )


# --- on the target's device


@pytest.fixture
def on_device(project, docker_engine, sshd, plain_archive):
    """The project whose target `pi` is an engine behind an SSH server, with a run that packed a model there."""
    config = project.path / "ssh_config"
    config.write_text(sshd.config)
    device = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{docker_engine.socket}"
    (project.path / "conf" / "target").mkdir()
    (project.path / "conf" / "target" / "pi.yaml").write_text(
        json.dumps({"name": "pi", "platform": HERE, "device": device})
    )
    project.stage("pack", PACK)
    project.stage("look", LOOK)
    project.usecase("packed", PACKED)
    (project.path / "words").write_text("1 20")
    words = ("usecase=packed", "target=pi", f"ssh_config={config}")
    made = Contained(project, docker_engine, plain_archive, *words)
    project.done(*made.words)
    return made


def _predict(on_device, *words):
    return on_device.project.run("predict", *on_device.words, "format=jsonl", *words)


def test_a_target_with_a_device_answers_there_and_its_files_come_back(on_device):
    (on_device.project.path / "linked").symlink_to("words")
    since = int(time.time())
    said = _predict(on_device, "input=linked", "output=shown")
    assert said.returncode == 0, said.stderr
    assert [json.loads(line)["times"] for line in said.stdout.splitlines()] == [2, 40]
    assert sorted(path.name for path in (on_device.project.path / "shown").iterdir()) == [
        "1.txt",
        "20.txt",
    ]
    assert (on_device.created(since), on_device.containers()) == (1, [])
    assert ", on ssh://" in said.stderr


def test_without_its_device_the_target_answers_on_this_machine(on_device):
    since = int(time.time())
    said = _predict(on_device, "input=words", "target.device=null")
    assert (said.returncode, len(said.stdout.splitlines())) == (0, 2), said.stderr
    assert on_device.created(since) == 0


def test_what_the_device_refuses_is_shown_with_the_way_to_run_it_here(on_device):
    (on_device.project.path / "words").write_text("bad")
    said = _predict(on_device, "input=words")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.splitlines()[-2:] == [
        "error: 'bad' is no number",
        "it ran on the device; run it on this machine: target.device=null executor=local",
    ]


def test_a_module_that_no_image_of_the_device_has_is_named(on_device):
    on_device.project.stage("look", "import torch\n" + LOOK.replace("\n    ", "\n").lstrip())
    said = _predict(on_device, "input=words")
    assert said.returncode == 2
    assert said.stderr.splitlines()[-3:] == [
        "mystages.look",
        f"  no image for {HERE} has torch, which the stage imports",
        "  run it on this machine: target.device=null executor=local",
    ]


def test_a_device_that_cannot_be_reached_is_named(on_device, sshd):
    sshd.stop()
    said = _predict(on_device, "input=words")
    sshd.start()
    assert (said.returncode, "Traceback" in said.stderr) == (2, False)
    assert "target=pi: device ssh://" in said.stderr


# --- a folder, part by part, on the target's device

EACH = """
    import json, time
    from engine.stage import In, Out
    def look(package: In, source: In, predictions: Out, *, partial: bool = False) -> None:
        factor, names = int((package / "factor").read_text()), sorted(p for p in source.rglob("*") if p.is_file())
        predictions.mkdir()
        with (predictions / "predictions.jsonl").open("w") as lines:
            for path in names:
                if path.read_text() == "wait":
                    time.sleep(8)
                print(json.dumps({"source": str(path.relative_to(source))}), file=lines)
"""


@pytest.fixture
def folder_on_device(on_device):
    """The device, and a folder of 230 files of which one in the second part keeps the stage busy."""
    on_device.project.stage("look", EACH)
    folder = on_device.project.path / "mine"
    (folder / "deep").mkdir(parents=True)
    for number in range(229):
        (folder / f"f{number}").write_text("1")
    (folder / "deep/link").symlink_to("../f1")
    (folder / "f150").write_text("wait")
    return on_device


def _volumes(on_device):
    return {volume.name for volume in on_device.engine.client().volumes.list()}


def _second_part_runs(on_device):
    labels = [one.labels for one in on_device.containers() if one.status == "running"]
    return any(one.get(f"{LABEL}.stage") == "look-2" for one in labels)


@pytest.mark.slow
def test_a_killed_command_goes_on_with_the_part_that_the_device_works_on(folder_on_device):
    on_device = folder_on_device
    project = on_device.project
    process = project.start("predict", *on_device.words, "format=jsonl", "input=mine")
    project.until(lambda: _second_part_runs(on_device))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    said = _predict(on_device, "input=mine")
    assert said.returncode == 0, said.stderr
    assert "100 of 230 files were processed earlier" in said.stderr
    assert "continued in the container" in said.stderr
    sources = [json.loads(line)["source"] for line in said.stdout.splitlines()]
    assert len(sources) == len(set(sources)) == 230 and sources[0] == "deep/link"
    assert on_device.containers() == []
    kept = _volumes(on_device)  # the package and the sources; the pictures are gone
    (project.path / "mine" / "f150").write_text("1")
    assert _predict(on_device, "input=mine").returncode == 0
    assert _volumes(on_device) == kept


@pytest.mark.slow
def test_answers_are_kept_when_the_device_goes_away(folder_on_device, sshd):
    on_device, project = folder_on_device, folder_on_device.project
    process = project.start("predict", *on_device.words, "format=jsonl", "input=mine")
    project.until(lambda: _second_part_runs(on_device))
    sshd.stop()
    out, err = process.communicate(timeout=120)
    sshd.start()
    assert (process.returncode, len(out.splitlines())) == (1, 100)
    assert "100 of 230 files processed; repeat the command to resume" in err
    said = _predict(on_device, "input=mine")
    assert (said.returncode, len(said.stdout.splitlines())) == (0, 230), said.stderr
    assert "100 of 230 files were processed earlier" in said.stderr
    assert "continued in the container" in said.stderr  # it went on while nobody was there
    assert on_device.containers() == []


@pytest.mark.slow
def test_a_folder_with_links_is_answered_in_a_container_of_this_machine(
    project, docker_engine, plain_archive, monkeypatch
):
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    words = ("usecase=packed", "executor=docker", "target=here")
    (project.path / "conf" / "target").mkdir()
    target = {"name": "here", "platform": HERE}
    (project.path / "conf" / "target" / "here.yaml").write_text(json.dumps(target))
    project.stage("pack", PACK)
    project.stage("look", EACH)
    project.usecase("packed", PACKED)
    (project.path / "mine").mkdir()
    (project.path / "mine/a").write_text("1")
    (project.path / "mine/b").symlink_to("a")
    (project.path / "mine/a").chmod(0o600)
    made = Contained(project, docker_engine, plain_archive, *words)
    project.done(*made.words)
    said = project.run("predict", *made.words, "format=jsonl", "input=mine")
    assert said.returncode == 0, said.stderr
    assert [json.loads(line)["source"] for line in said.stdout.splitlines()] == ["a", "b"]
