"""Mistakes on the command line, and in its settings."""

import contextlib
import io
import platform
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import Project, command_line
from tests.messages.rows import Subject, Told

FILES = {
    "conf/usecases/odd.yaml": "defaults: edge_export\nstages: {a: {uses: mystages.make}}\n",
    "conf/usecases/typo.yaml": "param: {n: 1}\nstages: {a: {uses: mystages.make}}\n",
    "conf/usecases/lost.yaml": (
        'params: {epochs: 1}\nstages: {a: {uses: mystages.make, params: {n: "${params.epoch}"}}}\n'
    ),
    "conf/usecases/loop.yaml": (
        'params: {a: "${params.b}", b: "${params.a}"}\nstages: {a: {uses: mystages.make}}\n'
    ),
    "conf/usecases/data.yaml": (
        'assets: {mine: yoga}\nstages: {a: {uses: mystages.double, inputs: {number: "asset:mine"}}}\n'
    ),
    "conf/usecases/clash.yaml": (
        'assets: {mine: made}\nstages: {mine: {uses: mystages.double, inputs: {number: "asset:mine"}}}\n'
    ),
    "conf/usecases/forgets.yaml": ("forget: mystages.make\nstages: {a: {uses: mystages.make}}\n"),
    "conf/usecases/packs.yaml": "stages: {a: {uses: mystages.pack}}\n",
    "conf/usecases/small.yaml": (
        "params: {n: '5'}\nstages: {a: {uses: mystages.make, params: {n: \"${params.n}\"}}}\n"
    ),
    "conf/usecases/aims.yaml": (
        "objective: {maximise: b.total}\nstages:\n  a: {uses: mystages.make}\n"
        "  b: {uses: mystages.double, inputs: {number: a.data}}\n"
    ),
    "conf/usecases/日本.yaml": "stages: {a: {uses: mystages.make}}\n",
    "conf/usecases/2024.yaml": "stages: {a: {uses: mystages.make}}\n",
    "conf/usecases/a,b.yaml": "stages: {a: {uses: mystages.make}}\n",
    "conf/target/64.yaml": "name: mine\nplatform: linux/amd64\n",
    "conf/accelerator/gpu.yaml": "a: {uses: mystages.make}\n",
    "conf/accelerator/npu.yaml": "b: {uses: mystages.make}\n",
    "crowded/.engine": "",
    "conf/asset/away.yaml": "name: away\ndescription: away\nlicence: MIT\npath: nowhere\n",
    "conf/asset/made.yaml": (
        "name: made\ndescription: x\nlicence: MIT\nmade_by: {uses: mystages.make, output: data}\n"
    ),
    "mystages/pack.py": (
        "from engine.stage import Out\ndef pack(package: Out) -> None:\n    "
        "package.mkdir()\n    (package / 'x').touch()\n"
    ),
}
SEARCH = ["-m", "hydra/sweeper=optuna", "params.n=range(1,4)"]
PRUNE_BY = "hydra.sweeper.prune_by=loss"
COMMANDS = {
    "command": (["explian"], "run.py explian", "command", "explain"),
    "commands": (["plan", "list"], "run.py plan list", "several", "run.py plan"),
    "usecase": (["usecase=chian"], "usecase=chian", "use case", "chain"),
    "usecase_file": (["usecase=no/chain.yaml"], "usecase=no/chain.yaml", "file", "chain"),
    "target": (["target=rpi4_corl"], "target=rpi4_corl", "target", "rpi4_coral"),
    "executor": (["executor=lcal"], "executor=lcal", "executor", "local"),
    "parameter": (["params.m=1"], "params.m", "parameter", "params.n"),
    "parameter_elsewhere": (["params.epochs=1"], "params.epochs", "parameter", "params.n"),
    "stage": (["stages.d.params.n=1"], "stages.d.params.n", "stage", "a, b, c"),
    "key_of_a_stage": (
        ["stages.b.inputs.numbr=x"],
        "stages.b.inputs.numbr",
        "set",
        "did you mean 'number'?",
    ),
    "forgetting_nobody": (["forget"], "person", "name", "add person=NAME"),
    "forgetting_without_a_stage": (
        ["forget", "person=ann"],
        "conf/usecases/chain.yaml: forget",
        "declare",
        "add 'forget: stages.<domain>.forget'",
    ),
    "forgetting_by_another_stage": (
        ["forget", "person=ann", "usecase=forgets"],
        "conf/usecases/forgets.yaml: forget",
        "artifacts",
        "give it the input 'artifacts'",
    ),
    "comparison_of_nothing": (["compare"], "compare", "two runs", "compare RUN RUN"),
    "several_names": (["name=a,b"], "name=a,b", "several values", "'name=\"a,b\"'"),
    "reproduction_of_another_run": (
        ["reproduce", "mine", "params.n=5"],
        "params.n=5",
        "as it was recorded",
        "leave this out",
    ),
    "reproduction_of_nothing": (["reproduce"], "reproduce", "run", "reproduce RUN"),
    "gpus": (
        ["plan", "+stages.a.resources.gpu=64"],
        "+stages.a.resources.gpu=64",
        "GPU" if platform.machine() != "x86_64" else "GPUs",
        "gpu",
    ),
    "note_on_nothing": (["note"], "note", "run", 'note RUN "text"'),
    "tag_that_is_a_parameter": (
        ["tag", "chain", "params.n=4"],
        "params.n=4",
        "params.n",
        "my.params.n=4",
    ),
    "tag_on_nothing": (["tag"], "tag", "run", "tag RUN key=value"),
    "no_condition": (["runs", "where=abc"], "where=abc", "condition", "where="),
    "condition_without_a_number": (
        ["runs", "where=a>b"],
        "where=a>b",
        "b",
        "a number after >",
    ),
    "no_status": (["runs", "status=finishd"], "status=finishd", "status", "finished"),
    "no_moment": (["runs", "since=monday"], "since=monday", "date", "7d"),
    "setting": (["fail_fsat=true"], "fail_fsat", "key", "fail_fast"),
    "grammar": (["params.n=[1"], "params.n=[1", "value", "quotes"),
    "no_launcher": (
        ["-m", "params.n=1,2", "hydra/launcher=ray"],
        "hydra/launcher=ray",
        "installed",
        "hydra-ray-launcher",
    ),
    "launcher": (
        ["-m", "params.n=1,2", "hydra/launcher=jolib"],
        "hydra/launcher=jolib",
        "launcher",
        "joblib",
    ),
    "interval": (
        ["-m", "params.n=interval(1,2)"],
        "params.n=interval(1,2)",
        "values",
        "hydra/sweeper=optuna",
    ),
    "sweeper": (["-m", "hydra/sweeper=optun"], "hydra/sweeper=optun", "sweeper", "optuna"),
    "sampler": (
        [*SEARCH, "hydra/sweeper/sampler=tpee"],
        "hydra/sweeper/sampler=tpee",
        "sampler",
        "tpe",
    ),
    "key_of_a_search": (
        [*SEARCH, "hydra.sweeper.n_trial=3"],
        "hydra.sweeper.n_trial",
        "key",
        "hydra.sweeper.n_trials",
    ),
    "space_as_one_word": (
        [*SEARCH, "hydra.sweeper.params={params.n: 1}"],
        "hydra.sweeper.params",
        "file",
        "params.KEY",
    ),
    "search_of_nothing": (
        ["-m", "hydra/sweeper=optuna", "params.n=1"],
        "the command line",
        "search",
        "params.KEY=interval(1e-4,1e-2)",
    ),
    "search_without_an_objective": (
        SEARCH,
        "hydra/sweeper=optuna",
        "objective",
        "++objective=STAGE.METRIC",
    ),
    "empty_interval": (
        [*SEARCH[:2], "params.n=interval(2,1)"],
        "params.n=interval(2,1)",
        "low",
        "interval(LOW,HIGH)",
    ),
    "grid_of_an_interval": (
        [
            *SEARCH[:2],
            "params.n=interval(1,2)",
            "hydra/sweeper/sampler=grid",
            "++objective=b.total",
        ],
        "params.n",
        "interval",
        "choice(...)",
    ),
    "interval_of_whole_numbers": (
        [*SEARCH[:2], "params.n=interval(1,2)", "++objective=b.total"],
        "params.n",
        "whole",
        "int(interval(LOW,HIGH))",
    ),
    "curve": ([*SEARCH, PRUNE_BY], PRUNE_BY, "stage", "STAGE.METRIC"),
    "curve_of_no_stage": (
        [*SEARCH, "++objective=b.total", "hydra.sweeper.prune_by=aa.loss"],
        "hydra.sweeper.prune_by=aa.loss",
        "aa",
        "'a'",
    ),
    "keys_of_several_objectives": (
        ["usecase=aims", "objective={maximize: b.total}"],
        "objective=...",
        "objective",
        "++objective=...",
    ),
    "sweep": (["sweeps", "sweep=1999"], "sweep=1999", "sweep", "outputs=DIR"),
    "dry_run": (["status", "--dry-run"], "run.py status --dry-run", "dry run", "--dry-run"),
    "flag": (["--mulitrun", "params.n=1,2"], "--mulitrun", "flag", "--multirun"),
    "key_as_a_flag": (["--params.n=1"], "--params.n=1", "dashes", "params.n=1"),
    "key_apart": (["usecase", "chain"], "run.py usecase", "=", "usecase=chain"),
    "completion": (["--completion=csh"], "--completion csh", "csh", "zsh"),
    "key": (["params n=1"], "params n=1", "word", "key=value"),
    "several": (["target=rpi3,rpi4"], "target=rpi3,rpi4", "several", "--multirun"),
    "range": (["params.n=range(3)"], "params.n=range(3)", "several", "--multirun"),
    "no_usecase": (["usecase="], "usecase=", "use case", "chain, chatbot, clash"),
    "no_outputs": (["outputs="], "outputs=", "character", "text"),
    "no_asset": (
        ["usecase=data", "assets.mine="],
        "assets.mine=",
        "asset",
        "activity_sample",
    ),
    "executor_name": (["executor.name=lcal"], "executor.name=lcal", "executor", "local"),
    "no_choice": (["~target"], "~target", "target", "target=NAME"),
    "sink": (["sinks=[consle]"], "sinks=consle", "sink", "console"),
    "driver": (["+executor.driver=schedler"], "executor.driver=schedler", "driver", "scheduler"),
    "hydras_own": (["~hydra/launcher=[a b]"], "the command line", "override", "key=value"),
    "one_value": (["stages.a@1.params.n=2"], "stages.a@...", "foreach", "stages.a.KEY"),
    "hydras_launcher": (["hydra/launcher=[1,2]"], "the command line", "int", "key=value"),
    "clean_outputs": (
        ["clean", "outputs=mystages/make.py"],
        "outputs={here}/mystages/make.py",
        "Not a directory",
        "outputs=DIR",
    ),
    "edgetpu_outputs": (
        ["edgetpu", "model=mystages/make.py", "outputs=mystages/make.py"],
        "outputs={here}/mystages/make.py",
        "Not a directory",
        "outputs=DIR",
    ),
    "picture_place": (
        ["graph", "output=mystages/no/dag.svg"],
        "output=mystages/no/dag.svg",
        "No such file",
        "file",
    ),
    "top_level_key": (["usecase=typo"], "conf/usecases/typo.yaml: param", "param", "params"),
    "interpolation": (
        ["usecase=lost"],
        "conf/usecases/lost.yaml: stages.a.params.n",
        "params.epoch",
        "params.epochs",
    ),
    "loop": (
        ["usecase=loop"],
        "conf/usecases/loop.yaml: params.a",
        "interpolation",
        "${params.<name>}",
    ),
    "asset": (
        ["usecase=data", "assets.mine=yogga"],
        "assets.mine=yogga",
        "yogga",
        "yoga",
    ),
    "asset_path": (
        ["usecase=data", "assets.mine=away"],
        "conf/asset/away.yaml: path",
        "nowhere",
        "relative to the project",
    ),
    "asset_and_stage": (
        ["usecase=clash"],
        "conf/usecases/clash.yaml: stages.mine",
        "mine",
        "rename the stage",
    ),
    "mirror": (["usecase=data", "mirror=nowhere"], "mirror=nowhere", "folder", "folder"),
    "until": (["until=[d]"], "until=d", "d", "a, b, c"),
    "force": (["force=[d]"], "force=d", "d", "a, b, c"),
    "force_beyond": (["force=[c]", "until=[a]"], "force=c", "until=a", "until="),
    "explain_stage": (["explain", "stage=d"], "stage=d", "stage", "a, b, c"),
    "no_run": (["status"], "{here}/outputs", "run", "usecase=chain"),
    "unknown_run": (["logs", "run=x"], "run=x", "run", "choose outputs=DIR"),
    "no_complete_run": (["logs", "run=latest"], "run=latest", "complete", "omit run="),
    "picture": (["graph", "output=dag.gif"], "output=dag.gif", ".svg or .png", "output=dag.svg"),
    "keep_last": (
        ["clean", "clean.keep_last=0"],
        "clean.keep_last=0",
        "1",
        "larger",
    ),
    "older_than": (
        ["clean", "clean.older_than=soon"],
        "clean.older_than=soon",
        "soon",
        "30m",
    ),
    "max_size": (
        ["clean", "clean.max_size=big"],
        "clean.max_size=big",
        "big",
        "512M",
    ),
    "nameless_target": (["plan", "target=null"], "target=null", "name", "coral_dev_board, rpi3"),
    "target_of_a_year": (["target=1999"], "target=1999", "target", "coral_dev_board, rpi3"),
    "usecase_of_a_year": (["usecase=1999"], "usecase=1999", "use case", "chain, chatbot, clash"),
    "usecase_named_by_a_number": (["usecase=2024"], "usecase=2024", "number", "a letter"),
    "usecase_without_a_name": (
        ["usecase=日本"],
        "conf/usecases/日本.yaml: name",
        "no name",
        "name: my_usecase",
    ),
    "target_named_by_a_number": (["target=64"], "target=64", "64.yaml", "a letter"),
    "usecase_with_a_comma": (
        ["usecase=conf/usecases/a,b.yaml"],
        "usecase=conf/usecases/a,b.yaml",
        "comma",
        "without a comma",
    ),
    "path_with_a_comma": (
        ["usecase=data", "assets.mine=/my,videos"],
        "assets.mine=/my,videos",
        "several",
        "'assets.mine=\"/my,videos\"'",
    ),
    "section": (["params=5"], "params=5", "5", "key: value"),
    "asset_of_a_number": (
        ["usecase=data", "assets.mine=5"],
        "assets.mine=5",
        "5",
        "activity_sample",
    ),
    "text_of_a_number": (["stages.a.uses=5"], "stages.a.uses=5", "5", "'stages.a.uses=\"5\"'"),
    "name_of_a_run": (["name=5"], "name=5", "name", "begin with a letter"),
    "already_there": (["+params.n=5"], "+params.n=...", "already", "params.n=..., without the +"),
    "reference": (["params.n=${params.m}"], "params.n=${params.m}", "params.m", "params.n"),
    "decimal_comma": (["params.n=0,5"], "params.n=0,5", "several", "a point: 0.5"),
    "grouped_number": (["params.n=5_882"], "params.n=5_882", "5_882", "5882"),
    "target_key": (
        ["target=rpi4", "target.platform=linux/mips"],
        "target.platform=linux/mips",
        "linux/mips",
        "linux/arm64",
    ),
    "several_accelerators": (
        ["-m", "target.accelerator=none,gpu,npu"],
        "target.accelerator=none,gpu,npu",
        "gpu and npu",
        "target=NAME,NAME",
    ),
    "value_of_a_reference": (
        ["usecase=small"],
        "conf/usecases/small.yaml: params.n",
        "int",
        "5, without quotes",
    ),
    "defaults": (
        ["plan", "usecase=odd"],
        "conf/usecases/odd.yaml: defaults",
        "list",
        "/pipeline@stages: edge_export",
    ),
    "no_model": (["edgetpu"], "model", "model", "model="),
    "no_such_model": (["edgetpu", "model=no.tflite"], "model=no.tflite", "file", ".tflite"),
    "model_is_none": (
        ["edgetpu", "model=conf/usecases/typo.yaml"],
        "model=conf/usecases/typo.yaml",
        "TFL3",
        ".tflite",
    ),
    "no_camera_model": (["imx500"], "model", "imx500", "model="),
    "no_such_camera_model": (["imx500", "model=no.keras"], "model=no.keras", "file", ".keras"),
    "no_architecture": (
        ["imx500", "model=conf"],
        "model=conf",
        "architecture.json",
        ".keras",
    ),
    "image": (["images", "image=runtim"], "image=runtim", "image", "runtime"),
    "init": (["init"], "init", "missing", "run.py init FOLDER"),
    "init_over_files": (["init", "conf"], "init conf", "not empty", "empty folder"),
    "images_word": (["images", "bild"], "run.py images bild", "action", "build"),
    "no_package": (
        ["predict", "input=."],
        "chain for x86_64",
        "model",
        "usecase=chain target=x86_64",
    ),
    "tracking_folder": (
        ["sync", "tracking=mlflow", "tracking.uri=mlruns"],
        "tracking.uri",
        "folder",
        "sqlite:////",
    ),
    "tracking_port": (
        ["sync", "tracking=mlflow", "tracking.uri=http://ann:secret@host:x"],
        "tracking.uri",
        "http://***@host:x",
        "sqlite:////",
    ),
    "tracking_sqlite": (
        ["sync", "tracking=mlflow", "tracking.uri='sqlite:///:memory:'"],
        "tracking.uri",
        "sqlite:///:memory:",
        "sqlite:////",
    ),
    "tracking_bytes": (
        ["sync", "tracking=mlflow", "tracking.uri='sqlite:////%ff.db'"],
        "tracking.uri",
        "sqlite:////%ff.db",
        "sqlite:////",
    ),
    "tracking_scheme": (
        ["sync", "tracking=mlflow", "tracking.uri=ftp://ann:secret@host"],
        "tracking.uri",
        "ftp://***@host",
        "sqlite:////",
    ),
}
SETTINGS = {
    "until": (["until=3"], "until=3", "3", "[a, b]"),
    "cpus": (["executor.cpus=many"], "executor.cpus=many", "many", "number"),
    "no_cpus": (["executor.cpus=0"], "executor.cpus=0", "0", "larger"),
    "memory": (
        ["executor=docker", "executor.memory=banana"],
        "executor.memory=banana",
        "banana",
        "512M",
    ),
    "memory_of_auto": (
        ["executor=auto", "+executor.memory=banana"],
        "+executor.memory=banana",
        "banana",
        "512M",
    ),
    "memory_of_a_device": (
        ["executor=local", "+executor.memory=9k", "target.device=ssh://pi@nowhere"],
        "+executor.memory=9k",
        "6M",
        "512M",
    ),
    "memory_of_no_machine": (
        ["executor=docker", f"executor.memory={10**30}T"],
        f"executor.memory={10**30}T",
        "10000000000000000000",
        "512M",
    ),
    "pids": (["executor=docker", "executor.pids=-3"], "executor.pids=-3", "-3", "larger"),
    "executor_key": (
        ["executor=docker", "+executor.colour=red"],
        "executor.colour",
        "option",
        "memory",
    ),
    "format": (["plan", "format=jsn"], "format=jsn", "jsn", "'json'"),
    "port": (["mlflow", "port=0"], "port=0", "0", "larger"),
    "option_of_another": (
        ["plan", "follow=true"],
        "follow=true",
        "logs",
        "run.py logs follow=true",
    ),
    "fail_fast": (["fail_fast=perhaps"], "fail_fast=perhaps", "perhaps", "true or false"),
    "dry_run": (
        ["clean", "clean.dry_run=perhaps"],
        "clean.dry_run=perhaps",
        "perhaps",
        "true or false",
    ),
    "outputs": (["outputs=null"], "outputs=null", "None", "text"),
    "outputs_below_a_file": (
        ["outputs=conf/usecases/chain.yaml"],
        "outputs={here}/conf/usecases/chain.yaml",
        "Not a directory",
        "outputs=DIR",
    ),
    "outputs_in_proc": (["outputs=/proc/x"], "outputs=/proc/x", "No such file", "outputs=DIR"),
    "not_finite": (["params.n=nan"], "params.n=nan", "nan", '"nan"'),
    "not_finite_inside": (
        ["params.n=[1,inf]"],
        "params.n=[1,inf]",
        "inf",
        '"inf"',
    ),
    "too_many_bits": (
        ["params.n=99999999999999999999"],
        "params.n=99999999999999999999",
        "64 bits",
        "text in quotes",
    ),
    "too_many_digits": (["params.n=" + "9" * 5000], "the command line", "digits", "text in quotes"),
    "key_is_no_text": (["params.n={1:2}"], "params.n={1:2}", "int", "text"),
    "path_too_long": (["data=" + "a" * 300], "a" * 80, "too long", "another path"),
    "kernels_mirror": (
        ["usecase=data", "assets.mine=movenet_lightning", "mirror=/proc"],
        "mirror=/proc",
        "proc",
        "copy",
    ),
    "in_the_way": (["outputs=crowded"], "{here}/crowded/.engine", "engine", "remove"),
    "stage_key": (["stages.a.retries=3"], "stages.a.retries", "key", "+stages.a.retries"),
}


def write_files(project: Project, files: Mapping[str, str] = FILES) -> None:
    """Write the use cases and stages that the rows name."""
    for name, text in files.items():
        (project.path / name).parent.mkdir(exist_ok=True)
        (project.path / name).write_text(text)


def provoke(words: list[str], folder: Path, files: Mapping[str, str] = FILES) -> list[Told]:
    """Run a command that must exit with status 2, and return its error message."""
    project, out, err = Project(folder), io.StringIO(), io.StringIO()
    write_files(project, files)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HYDRA_FULL_ERROR", "1")  # as engine/start.py does
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = command_line(project, *words)
    assert (status, out.getvalue()) == (2, "")
    return [[line.strip().replace(str(folder), "{here}") for line in err.getvalue().splitlines()]]


SUBJECTS = {"command": Subject(COMMANDS, provoke), "setting": Subject(SETTINGS, provoke)}
