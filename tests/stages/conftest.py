"""Small real networks, trained and converted by real jobs, which are forked from a server that has imported
TensorFlow but not used it.
"""

import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.context import ExecutorContext
from engine.executors.local import Executor
from engine.jobfolder import Launch
from engine.placement import Placement
from engine.plan import Job
from engine.signature import Library
from engine.spec import StageSpec
from engine.target import Target

np = pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")

from stages.tflite import part  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
LABELS = ["cat", "dog", "owl"]
NETWORK = '''
from engine.stage import In, Out
def network(train: In, model: Out, *, kind: str, form: str = "architecture") -> None:
    """Make a network of this kind, and train it where there is something to learn."""
    import keras
    import numpy as np
    import tensorflow as tf
    keras.utils.set_random_seed(0)
    x, y = np.load(train / "features.npy"), np.load(train / "truth_class.npy")
    inputs = keras.Input(x.shape[1:])
    if kind == "identity":
        net = keras.Model(inputs, keras.layers.Dense(3, use_bias=False)(inputs))
        net.set_weights([np.eye(3, dtype=np.float32)])
    elif kind == "rolled":
        rolled = keras.layers.LSTM(4)(keras.layers.Reshape((4, 2))(inputs))
        net = keras.Model(inputs, keras.layers.Dense(3)(rolled))
    elif kind == "two":
        ends = keras.Input((4,), name="left"), keras.Input((4,), name="right")
        joined = keras.layers.Add()([keras.layers.Dense(4)(end) for end in ends])
        net = keras.Model(list(ends), {name: keras.layers.Dense(n)(joined) for name, n in (("scores", 3), ("box", 4))})
    elif kind == "ids":
        inputs = keras.Input((4,), dtype="int32", name="ids")
        net = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.Embedding(9, 2)(inputs))))
    elif kind == "open":
        inputs = keras.Input((None, 8))
        net = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    elif kind == "lambda":
        net = keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs))
    elif kind in ("grouped", "transposed"):
        pixels = keras.layers.Reshape((2, 2, 2))(inputs)
        if kind == "grouped":
            seen = keras.layers.Conv2D(4, 1, groups=2)(pixels)
        else:
            seen = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Conv2DTranspose(4, 2, use_bias=False)(pixels)))
        net = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(seen)))
    else:
        hidden = keras.layers.Dense(16, activation=kind)(inputs)
        net = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
        net.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
        net.fit(x, y, epochs=15, verbose=0)
    if form == "saved_model":
        return net.export(str(model), verbose=False)
    if form != "architecture":
        net.save(model.with_suffix("." + form))
        return model.with_suffix("." + form).rename(model) and None
    model.mkdir()
    (model / "architecture.json").write_text(net.to_json())
    for at, weights in enumerate(net.get_weights()):
        np.save(model / f"weights_{at:03}.npy", weights)
'''


@dataclass(frozen=True, slots=True)
class Done:
    """An ended job: its exit status, its metrics or error, its outputs and its reports."""

    status: int | None
    metrics: dict[str, float]
    error: str
    out: Path
    said: list[dict[str, Any]]
    log: str


@pytest.fixture(scope="session")
def do(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Done]]:
    """Run a stage as a job, with its name, its inputs, its parameters, and the label of its figures."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "mystages").mkdir()
    (folder / "mystages" / "network.py").write_text(NETWORK)
    packages, aim = (
        ("stages", "mystages"),
        Target(name="here", platform="linux/amd64", runtime="litert"),
    )
    library = Library(packages, [folder, ROOT])
    executor = Executor(ExecutorContext(aim, (folder, ROOT), packages, tuple, folder))

    def done(
        uses: str, inputs: dict[str, Path | None], measured_on: str = "", **params: Any
    ) -> Done:
        signature, at = library.signature(uses, uses), folder / f"{len(list(folder.iterdir()))}"
        (at / "out").mkdir(parents=True)
        paths = {name: str(inputs[name]) if inputs.get(name) else None for name in signature.inputs}
        outputs = {name: str(at / "out" / name) for name in signature.outputs}
        job = {
            "module": uses,
            "function": uses.rpartition(".")[2],
            "inputs": paths,
            "outputs": outputs,
            "params": params,
            "measured_on": measured_on,
        }
        (at / "job.json").write_text(json.dumps(job))
        made = Job(
            "s",
            StageSpec(uses=uses),
            signature,
            {},
            signature.outputs,
            {},
            Placement("", False, ""),
        )
        executor.launch(Launch(made, at, at / "log"))
        while not (ended := executor.wait(1)):
            continue
        result = (
            json.loads((at / "result.json").read_text()) if (at / "result.json").exists() else {}
        )
        said = [json.loads(line) for line in (at / "events.jsonl").read_text().splitlines()]
        return Done(
            ended[0].status,
            result.get("metrics", {}),
            result.get("error", ""),
            at / "out",
            said,
            (at / "log").read_text(),
        )

    yield done
    executor.close()


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of three well separated classes of points in eight dimensions."""
    chance, folder = np.random.default_rng(0), tmp_path_factory.mktemp("blobs")
    middles = 2 * chance.normal(size=(3, 8))
    for name, count in (("train", 150), ("test", 60)):
        y = np.arange(count) % 3
        x = (middles[y] + 0.3 * chance.normal(size=(count, 8))).astype(np.float32)
        write_part(folder / name, x, y)
    return folder


def write_part(folder: Path, x: Any, y: Any, clips: Any = None) -> Path:
    """Write a part with the truth in the form of stages.pose.dataset; x (examples, ...), y (examples,)."""
    clips = np.arange(len(x)) if clips is None else np.asarray(clips)
    part.write(folder, {"features": np.asarray(x, np.float32)})
    classes = np.asarray(y, np.int64)[np.unique(clips, return_index=True)[1]]
    np.save(folder / "truth_class.npy", classes)
    np.save(folder / "truth_clip.npy", clips.astype(np.int64))
    np.save(folder / "truth_nothing.npy", np.zeros(len(clips), bool))
    about = {"labels": LABELS, "clips": {"train": {"cat": 50, "dog": 100}, "test": {"cat": 60}}}
    (folder / "truth.json").write_text(json.dumps(about))
    (folder / "constants.json").write_text('{"window": 1}')
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return folder


@pytest.fixture(scope="session")
def network(do: Callable[..., Done], blobs: Path) -> Callable[..., Path]:
    """Make a network: `relu` and `elu` are trained, `identity` returns its input."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("the extra 'train' is not installed")

    def make(kind: str, data: Path = blobs, form: str = "architecture") -> Path:
        done = do("mystages.network", {"train": data / "train"}, kind=kind, form=form)
        assert done.status == 0, done.log
        return done.out / "model"

    return make


@pytest.fixture(scope="session")
def relu(network: Callable[..., Path]) -> Path:
    """A trained network whose operations all have an int8 form."""
    return network("relu")


@pytest.fixture(scope="session")
def quantised(do: Callable[..., Done], relu: Path, blobs: Path) -> Done:
    """The trained network as TFLite, float and int8."""
    done = do("stages.edge.quantise", {"model": relu, "train": blobs / "train"})
    assert done.status == 0, done.log
    return done


@pytest.fixture(scope="session")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of scores from 0 to 1, for the identity network."""
    folder = tmp_path_factory.mktemp("unit")
    x = np.random.default_rng(0).uniform(0, 1, (200, 3))
    write_part(folder / "train", x, np.zeros(200))
    return folder


@pytest.fixture(scope="session")
def mirror(do: Callable[..., Done], network: Callable[..., Path], unit: Path) -> dict[str, Path]:
    """The identity network: the folder of models, and the files in it."""
    model = network("identity", unit)
    done = do("stages.edge.quantise", {"model": model, "train": unit / "train"})
    assert done.status == 0, done.log
    models = done.out / "models"
    files = {f"{form}_model": models / "model" / f"{form}.tflite" for form in ("int8", "float")}
    return {"models": models, **files}
