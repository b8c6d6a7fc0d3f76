"""Image recognition, from pictures to a verified package that answers: on its sample, and with a tiny extractor."""

import json
import shutil
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")

from stages.vision.picture_sample import picture_sample  # noqa: E402
from tests.stages.vision import extractors  # noqa: E402

pytestmark = pytest.mark.slow


def test_the_sample_becomes_a_package_that_names_signs(project):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    words = ("stage_packages=[stages]", "usecase=image_recognition", "target=x86_64")
    state = project.done(*words)
    assert state.stages["score"].metrics["accuracy"] >= 0.9
    assert state.stages["verify"].metrics["agreement"] >= 0.9
    pictures = project.last / "artifacts" / "pictures" / "pictures"
    said = project.run("predict", *words, f"input={pictures / 'stop'}", "format=jsonl")
    labels = [json.loads(line)["label"] for line in said.stdout.splitlines()]
    assert labels.count("stop") / len(labels) > 0.8


HERE = ("stage_packages=[stages]", "usecase=image_recognition", "target=x86_64")
EASY = 'stages.score.require.accuracy=">= 0.4 if measured"'  # what a tiny extractor can reach
FORBIDDEN = "raise AssertionError('a job imports TensorFlow')\n"


@pytest.fixture
def recognise(project):
    """Run the use case with a tiny extractor, where TensorFlow cannot be imported; return run and package."""
    for name in ("tensorflow.py", "keras.py"):
        (project.path / name).write_text(FORBIDDEN)
    model = extractors.tiny(project.path / "tiny.tflite")

    def run(method, *words):
        given = (f"params.method={method}", f"assets.extractor={model}", EASY)
        state = project.done(*HERE, *given, *words)
        package = shutil.copytree(
            project.last / "artifacts/package/package",
            project.path / f"package{len(list(project.path.glob('package*')))}",
        )
        return state, package

    return run


@pytest.fixture
def pictures(project):
    """Three of the sample's classes, and the fourth apart."""
    root = project.path / "mine"
    picture_sample(root / "old", each=24, side=64)
    names = sorted(path.name for path in (root / "old").iterdir())
    (root / "new").mkdir()
    shutil.move(root / "old" / names[-1], root / "new" / names[-1])
    return root


def weights(package: Path):
    return np.load(package / "data/weights.npy")


@pytest.mark.parametrize("method", ["last_layer", "imprint"])
def test_a_last_layer_is_made_packed_and_extended_without_tensorflow(recognise, pictures, method):
    state, first = recognise(method, f"assets.pictures={pictures / 'old'}")
    assert state.stages["score"].metrics["accuracy"] >= 0.4
    assert state.stages["verify"].metrics["agreement"] == 1
    assert "accuracy_drop" not in state.stages["score"].metrics
    more = (f"assets.packed={first}", f"assets.extend={pictures / 'new'}")
    state, second = recognise(method, f"assets.pictures={pictures / 'old'}", *more)
    assert weights(second)[:3].tobytes() == weights(first).tobytes() and len(weights(second)) == 4
    assert state.stages["score"].metrics["kept_untested"] == 0
    assert state.stages["score"].metrics["accuracy"] >= 0.4
    assert (second / "labels.txt").read_text().split() == [
        *(first / "labels.txt").read_text().split(),
        *(path.name for path in (pictures / "new").iterdir()),
    ]
    state, third = recognise(method, "assets.pictures=null", *more)
    score = state.stages["score"]
    assert weights(third)[:3].tobytes() == weights(first).tobytes()
    assert score.metrics["kept_untested"] == 3 and "accuracy" not in score.metrics
    assert any("the model is unevaluated" in note for note in score.notes)
    judged = {gate["metric"]: gate["passed"] for gate in score.gates}
    assert (judged["accuracy"], judged["untested_classes"]) == (None, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("params.method=imprint", "assets.extend={here}"),
            "  the stage 'dataset' needs this asset together with assets.extend",
        ),
        (
            ("assets.packed={here}", "assets.extend={here}"),
            "  it has no effect without the stage 'extractor', which this run skips: params.method "
            "must be last_layer or imprint, but it is 'finetune'",
        ),
    ],
    ids=["without_a_package", "fine_tuned"],
)
def test_what_cannot_be_extended_is_refused_when_planning(project, words, said):
    done = project.run("plan", *HERE, *(word.format(here=project.path) for word in words))
    assert (done.returncode, done.stderr.splitlines()[1]) == (2, said)
