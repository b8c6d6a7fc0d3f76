"""The Edge TPU's child process, with real shared libraries instead of libedgetpu: one for each possible end.

There is no Edge TPU here: the working library leaves every operation to the CPU, so that the communication
is real.
"""

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine import stage
from engine.stage import StageError
from stages.accelerator import Unavailable, open_on
from stages.coral import process
from stages.coral.child import has_pycoral
from stages.coral.device import Roots
from stages.coral.model import CUSTOM_OPERATOR, EdgeTpu
from stages.coral.process import LIBRARY as EDGETPU_LIBRARY
from stages.coral.process import Process
from stages.tflite import wire
from stages.tflite.model import open_model
from tests.tflite_models import G, Op, T, write

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = r"""
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>
struct delegate {  /* TfLiteDelegate, tensorflow/lite/core/c/common.h */
  void* data; int (*prepare)(void*, struct delegate*); void* copy_from; void* copy_to; void* free_handle; int64_t flags; void* builder;
};
static int prepare(void* context, struct delegate* self) { PREPARE; return 0; }
static struct delegate made = {0, prepare, 0, 0, 0, 0, 0};
void* tflite_plugin_create_delegate(char** keys, char** values, size_t count, void (*report)(const char*)) { CREATE; return &made; }
void tflite_plugin_destroy_delegate(void* delegate) {}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Compile a library that does this when the delegate is created, or prepared for a model."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc")
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "delegate.c").write_text(LIBRARY)

    def build(create: str = "", prepare: str = "") -> str:
        path = folder / f"lib{len(list(folder.iterdir()))}.so"
        flags = [f"-DCREATE={create}", f"-DPREPARE={prepare}"]
        subprocess.run(
            ["gcc", "-shared", "-fPIC", *flags, "-o", path, folder / "delegate.c"], check=True
        )
        return str(path)

    return build


@pytest.fixture
def plugged(tmp_path):
    """A machine with a Coral on USB, as its kernel shows it."""
    roots = Roots(tmp_path / "sys", tmp_path / "dev", tmp_path / "proc")
    device = roots.sys / "bus/usb/devices/1-4"
    device.mkdir(parents=True)
    for name, value in (
        ("idVendor", "18d1"),
        ("idProduct", "9302"),
        ("busnum", "1"),
        ("devnum", "4"),
    ):
        (device / name).write_text(value)
    (roots.dev / "bus/usb/001").mkdir(parents=True)
    (roots.dev / "bus/usb/001/004").touch()
    roots.proc.mkdir()
    return roots


@pytest.fixture
def compiled(mirror, tmp_path):
    """The int8 identity network, marked as compiled, although its operators still run on the CPU."""
    path = tmp_path / "compiled"
    path.write_bytes(mirror["int8_model"].read_bytes() + CUSTOM_OPERATOR)
    return path


@pytest.fixture
def notes(monkeypatch):
    """The notes to the run."""
    said: list[str] = []
    monkeypatch.setattr(stage, "_send", lambda event: said.append(event["text"]))
    return said


def session(*machine):
    """What models share on a machine with this library and these devices."""
    return {"edgetpu": Process(*machine)}


def reason(int8, compiled, runtime, *machine) -> tuple[str, str]:
    """Why the Edge TPU is not used."""
    with pytest.raises(Unavailable) as error:
        EdgeTpu(int8, compiled, runtime, Process(*machine))
    return error.value.cause, str(error.value)


def test_what_comes_back_from_the_child_is_what_the_model_says(compiled, mirror, library, plugged):
    model = open_on(
        "edgetpu", mirror["int8_model"], compiled, "litert", session=session(library(), plugged)
    )
    (name,), (result,) = model.inputs, model.outputs
    x = {name: np.random.default_rng(1).uniform(0, 1, (40, 3)).astype(np.float32)}
    assert (model.accelerator, model.runtime.split()[0]) == ("edgetpu", "LiteRT")
    here = open_model(mirror["int8_model"]).raw_outputs(x)
    assert model.raw_outputs(x)[result].tobytes() == here[result].tobytes()
    assert model.dequantised(here)[result] == pytest.approx(x[name], abs=0.02)
    assert model.time_ms(model.quantised({name: x[name][:1]})) > 0


def test_any_number_of_tensors_goes_to_the_child_and_back(tmp_path, library, plugged):
    tensors = [T((1, 2), "FLOAT32", name=name) for name in ("a", "b", "total", "clipped")]
    ops = [Op("ADD", (0, 1), (2,), options=("AddOptions", {})), Op("RELU", (1,), (3,))]
    path = write(tmp_path / "two.tflite", G(tensors, ops, (0, 1), (2, 3)))
    swapped = write(tmp_path / "twin.tflite", G(tensors, ops, (1, 0), (3, 2)))
    swapped.write_bytes(swapped.read_bytes() + CUSTOM_OPERATOR)
    model = open_on("edgetpu", path, swapped, "litert", session=session(library(), plugged))
    assert (model.accelerator, set(model.inputs)) == ("edgetpu", {"a", "b"})
    found = model.run({"a": np.float32([[10, 20]]), "b": np.float32([[-1, 2]])})
    assert (found["total"].tolist(), found["clipped"].tolist()) == ([[9, 22]], [[0, 2]])


def test_a_compiled_model_of_another_model_is_not_used(mirror, tmp_path, library, plugged, notes):
    other = write(tmp_path / "other.tflite", G([T((1, 5)), T((1, 5))], [Op("RELU", (0,), (1,))]))
    model = open_on(
        "edgetpu", mirror["int8_model"], other, "litert", session=session(library(), plugged)
    )
    assert model.accelerator == "cpu"
    assert "other.tflite is not int8.tflite, compiled: its inputs or outputs differ" in notes[-1]


def test_the_childs_memory_can_be_read(compiled, library, plugged):
    assert (
        5
        < EdgeTpu(compiled, compiled, "litert", Process(library(), plugged)).peak_memory_mb()
        < 200
    )


@pytest.mark.parametrize("where", ["create", "prepare"])
def test_a_library_that_crashes_is_a_version_mismatch_and_the_stage_goes_on(
    compiled, mirror, library, plugged, notes, where
):
    crashing = library(**{where: "raise(SIGSEGV)"})
    cause, sentence = reason(compiled, compiled, "litert", crashing, plugged)
    assert (
        cause == "version"
        and "version mismatch: " in sentence
        and "was killed by signal 11 (SIGSEGV)" in sentence
    )
    model = open_on(
        "edgetpu", mirror["int8_model"], compiled, "litert", session=session(crashing, plugged)
    )
    assert model.accelerator == "cpu"
    assert notes[-1].startswith("running the model on the CPU, because no Edge TPU is usable; ")
    assert "(looked for USB 1a6e:089a" in notes[-1]


def test_a_library_that_refuses_the_model_is_a_version_mismatch(compiled, library, plugged):
    cause, sentence = reason(compiled, compiled, "litert", library(prepare="return 1"), plugged)
    assert cause == "version" and sentence.startswith(
        "version mismatch: the runtime cannot run the model with it"
    )


def test_a_library_that_gets_no_device_says_that_another_process_holds_it(
    compiled, library, plugged
):
    cause, sentence = reason(compiled, compiled, "litert", library(create="return 0"), plugged)
    assert cause == "busy" and "could not be opened: another process may be using it" in sentence


def test_a_library_that_says_of_a_newer_compiler_is_a_version_mismatch(compiled, library, plugged):
    said = "Package requires runtime version (14), which is newer than this runtime version (13)."
    cause, sentence = reason(
        compiled, compiled, "litert", library(create=f'report("{said}"); return 0'), plugged
    )
    assert cause == "version" and said.rstrip(".") in sentence


def test_a_library_that_hangs_is_given_up(compiled, library, plugged, monkeypatch):
    monkeypatch.setattr(process, "OPEN_TIMEOUT_S", 2.0)
    cause, sentence = reason(compiled, compiled, "litert", library(create="sleep(600)"), plugged)
    assert cause == "busy" and "it did not answer within 2 s" in sentence


def test_a_library_that_prints_does_not_disturb_the_answers(compiled, library, plugged):
    noisy = library(create='if (write(1, "hello", 5)) {}')
    (tensor,) = EdgeTpu(compiled, compiled, "litert", Process(noisy, plugged)).inputs.values()
    assert tensor.shape == (1, 3)


def test_a_crash_in_the_middle_of_the_work_ends_the_stage_in_a_sentence(compiled, library, plugged):
    model = EdgeTpu(compiled, compiled, "litert", Process(library(), plugged))
    os.kill(model._process.pid, 11)
    with pytest.raises(
        StageError,
        match=r"the Edge TPU's process was killed by signal 11 \(SIGSEGV\) while it was working",
    ):
        model.invoke({name: np.zeros((1, 3), np.int8) for name in model.inputs})


def test_a_missing_library_comes_before_a_missing_device(compiled, tmp_path):
    nowhere = Roots(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert reason(compiled, compiled, "litert", "libnowhere.so.1", nowhere) == (
        "library",
        "libnowhere.so.1 is not installed: install Google's package libedgetpu1-std",
    )


def test_a_file_that_is_no_library_is_reported(compiled, plugged, tmp_path):
    (tmp_path / "torn.so").write_text("no")
    cause, sentence = reason(compiled, compiled, "litert", str(tmp_path / "torn.so"), plugged)
    assert cause == "library" and f"{tmp_path / 'torn.so'} cannot be loaded: " in sentence


def test_a_missing_device_comes_before_what_a_library_would_do(compiled, library, tmp_path):
    nowhere = Roots(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert reason(compiled, compiled, "litert", library(create="raise(SIGSEGV)"), nowhere) == (
        "device",
        "none is connected",
    )


def test_a_model_that_is_not_compiled_stays_on_the_cpu_and_says_so(mirror, library, plugged, notes):
    model = open_on(
        "edgetpu", mirror["int8_model"], None, "litert", session=session(library(), plugged)
    )
    assert (
        model.accelerator == "cpu"
        and "one is ready, but the model is not compiled for it" in notes[-1]
    )


def test_the_child_ends_with_its_model(compiled, library, plugged):
    model = EdgeTpu(compiled, compiled, "litert", Process(library(), plugged))
    pid = model._process.pid
    del model
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("files", "is_googles"),
    [
        (["__init__.py"], False),
        (["__init__.py", "utils/__init__.py", "utils/edgetpu.py"], True),
        ([], False),
    ],
    ids=["the coral-reef atlas", "Google's", "none"],
)
def test_the_pycoral_of_the_public_index_is_never_taken_for_googles(
    monkeypatch, tmp_path, files, is_googles
):
    for name in files:
        (tmp_path / "pycoral" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pycoral" / name).write_text("raise AssertionError('it is imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert has_pycoral() is is_googles
    assert "pycoral" not in sys.modules


def test_pycoral_opens_the_model_where_it_is_installed(
    compiled, library, plugged, tmp_path, monkeypatch
):
    pytest.importorskip("tflite_runtime", reason="tflite-runtime has no build for this Python")
    package = tmp_path / "site" / "pycoral" / "utils"
    package.mkdir(parents=True)
    (package / "edgetpu.py").write_text(
        "from tflite_runtime.interpreter import Interpreter\n"
        "def make_interpreter(path, device=None):\n    assert device == 'usb'\n    return "
        "Interpreter(model_path=path)\n"
    )
    about = tmp_path / "site" / "pycoral-2.0.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pycoral\nVersion: 2.0.0\n")
    named = tmp_path / "site" / EDGETPU_LIBRARY
    shutil.copyfile(library(), named)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path / "site"))
    assert EdgeTpu(compiled, compiled, "tflite_runtime", Process(roots=plugged)).runtime.startswith(
        "PyCoral 2.0.0 with tflite-runtime "
    )


def test_the_child_ends_when_its_requests_do(compiled, library, plugged):
    wish = {
        "do": "open",
        "model": 1,
        "path": str(compiled),
        "inputs": ["x"],
        "outputs": ["y"],
        "runtime": "litert",
        "library": library(),
        "roots": {k: str(getattr(plugged, k)) for k in ("sys", "dev", "proc")},
    }
    argv = [sys.executable, "-m", "stages.coral.child"]
    given = wire.pack(wish, {}) + b"\0\0\0"
    done = subprocess.run(argv, cwd=ROOT, input=given, capture_output=True)
    assert done.returncode == 0 and b'"shape": [1, 3]' in done.stdout


# --- several models


@pytest.fixture
def alone(library, tmp_path):
    """A library that is busy for a second process, like the Edge TPU: fcntl locks belong to a process."""
    lock = tmp_path / "device"
    lock.touch()
    code = (
        "struct flock all = {.l_type = F_WRLCK}; "
        f'if (fcntl(open("{lock}", O_RDWR), F_SETLK, &all)) return 0'
    )
    return library(create=code)


@pytest.fixture
def adder(tmp_path):
    """A model that adds its two inputs, marked as compiled."""
    tensors = [T((1, 2), "FLOAT32", name=name) for name in ("a", "b", "total")]
    graph = G(tensors, [Op("ADD", (0, 1), (2,), options=("AddOptions", {}))], (0, 1), (2,))
    path = write(tmp_path / "adder.tflite", graph)
    path.write_bytes(path.read_bytes() + CUSTOM_OPERATOR)
    return path


def test_models_that_are_open_together_share_the_process_that_holds_the_device(
    compiled, adder, alone, plugged
):
    process = Process(alone, plugged)
    same, added = (EdgeTpu(one, one, "litert", process) for one in (compiled, adder))
    (name,), (result,) = same.inputs, same.outputs
    for value in (1, 2):  # in turn
        raw = np.full((1, 3), value, np.int8)
        assert same.invoke({name: raw})[0][result].tolist() == raw.tolist()
        given = {"a": np.float32([[value, 2]]), "b": np.float32([[3, 4]])}
        assert added.invoke(given)[0]["total"].tolist() == [[value + 3, 6]]


def test_a_second_process_finds_the_device_busy(compiled, alone, plugged):
    first = EdgeTpu(compiled, compiled, "litert", Process(alone, plugged))
    assert reason(compiled, compiled, "litert", alone, plugged)[0] == "busy"
    first.close()


def test_a_model_that_is_closed_or_refused_leaves_the_others_open(
    compiled, mirror, adder, alone, plugged
):
    process = Process(alone, plugged)
    same, added = (EdgeTpu(one, one, "litert", process) for one in (compiled, adder))
    with pytest.raises(Unavailable, match="not compiled for it"):
        EdgeTpu(mirror["int8_model"], None, "litert", process)
    same.close()
    same.close()
    given = {"a": np.float32([[1, 2]]), "b": np.float32([[3, 4]])}
    assert added.invoke(given)[0]["total"].tolist() == [[4, 6]]
    added.close()
    assert process.pid is None
    assert EdgeTpu(compiled, compiled, "litert", process).runtime.startswith("LiteRT")


def test_a_crash_while_a_second_model_opens_ends_the_first_in_a_sentence(
    compiled, adder, library, plugged
):
    code = "static int models; if (models++) raise(SIGSEGV)"
    process = Process(library(create=code), plugged)
    first = EdgeTpu(compiled, compiled, "litert", process)
    with pytest.raises(Unavailable, match="SIGSEGV"):
        EdgeTpu(adder, adder, "litert", process)
    with pytest.raises(StageError, match=r"process was killed by signal 11 \(SIGSEGV\) while"):
        first.invoke({name: np.zeros((1, 3), np.int8) for name in first.inputs})


def zeros(model):
    return {name: np.zeros(one.shape, one.type) for name, one in model.inputs.items()}


def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next_one(
    compiled, adder, library, plugged
):
    """An interrupted run leaves an answer in the pipe."""
    process = Process(library(), plugged)
    first, other = (EdgeTpu(one, one, "litert", process) for one in (compiled, adder))

    def interrupted(signal_number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupted)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            first.invoke(zeros(first))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert process.pid is None
    with pytest.raises(StageError, match="did not answer while it was working"):
        other.invoke(zeros(other))
    again = EdgeTpu(adder, adder, "litert", process)
    assert again.invoke({"a": np.float32([[1, 2]]), "b": np.float32([[3, 4]])})[0]["total"].any()


def test_a_process_that_ends_while_a_model_is_closed_is_started_anew(
    compiled, adder, library, plugged
):
    process = Process(library(), plugged)
    first, other = (EdgeTpu(one, one, "litert", process) for one in (compiled, adder))
    os.kill(process.pid, signal.SIGKILL)
    first.close()
    with pytest.raises(StageError, match=r"was killed by signal 9 \(SIGKILL\)"):
        other.invoke(zeros(other))
    assert EdgeTpu(compiled, compiled, "litert", process).runtime.startswith("LiteRT")


def test_a_model_that_cannot_be_run_leaves_the_others_open(compiled, tmp_path, library, plugged):
    """GATHER with an index outside the table, which is only detected at run time."""
    tensors = [
        T((3, 2), "FLOAT32", name="table", data=np.zeros((3, 2), np.float32).tobytes()),
        T((1,), "INT32", name="at"),
        T((1, 2), "FLOAT32", name="row"),
    ]
    path = write(tmp_path / "m.tflite", G(tensors, [Op("GATHER", (0, 1), (2,))], (1,), (2,)))
    path.write_bytes(path.read_bytes() + CUSTOM_OPERATOR)
    process = Process(library(), plugged)
    same, rows = (EdgeTpu(one, one, "litert", process) for one in (compiled, path))
    with pytest.raises(StageError, match=r"process cannot run the model: .*gather"):
        rows.invoke({"at": np.int32([7])})
    assert rows.invoke({"at": np.int32([2])})[0]["row"].tolist() == [[0, 0]]
    assert same.invoke(zeros(same))


def test_threads_take_turns(compiled, adder, library, plugged):
    process = Process(library(), plugged)
    added = EdgeTpu(adder, adder, "litert", process)

    def sums(value):
        given = {"a": np.float32([[value, value]]), "b": np.float32([[1, 2]])}
        return [added.invoke(given)[0]["total"].tolist() for _ in range(50)]

    with ThreadPoolExecutor(4) as pool:
        for value, found in enumerate(pool.map(sums, range(4))):
            assert found == [[[value + 1, value + 2]]] * 50


def test_a_model_that_is_collected_in_the_middle_of_a_talk_is_closed_after_it(
    compiled, adder, library, plugged
):
    process = Process(library(), plugged)
    first, other = (EdgeTpu(one, one, "litert", process) for one in (compiled, adder))
    with process._exchange_lock:  # as the garbage collector finds it
        first.close()
    assert other.invoke(zeros(other))
    with pytest.raises(StageError):
        first.invoke(zeros(first))
    other.close()
    assert process.pid is None


def test_a_fork_leaves_the_process_alone(compiled, library, plugged):
    model = EdgeTpu(compiled, compiled, "litert", Process(library(), plugged))
    child = os.fork()
    if child == 0:
        try:
            model.invoke(zeros(model))
            status = 1
        except StageError as error:
            status = 0 if "before this process was forked" in str(error) else 2
        model.close()
        model._process.__del__()
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert model.invoke(zeros(model))
