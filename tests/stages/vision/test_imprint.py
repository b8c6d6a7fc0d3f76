"""Imprinting, from pictures to a package that answers and is extended with new classes."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks import head
from stages.tasks.task import open_task
from stages.tflite import part
from stages.vision.extractor import extractor
from stages.vision.imprint import imprint
from stages.vision.picture_sample import picture_sample
from tests.stages.vision import extractors


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The sample's four classes; the last one apart."""
    root = tmp_path_factory.mktemp("sample")
    picture_sample(root / "pictures", each=10, side=64)
    names = sorted(path.name for path in (root / "pictures").iterdir())
    (root / "more").mkdir()
    shutil.move(root / "pictures" / names[-1], root / "more" / names[-1])
    return root


@pytest.fixture
def made(pictures, tmp_path, monkeypatch):
    """The first three classes, imprinted and packed."""
    monkeypatch.chdir(tmp_path)
    folder = extractors.embedded(tmp_path / "first", pictures / "pictures")
    imprint(folder / "embeddings", folder / "head", folder / "decision.json")
    extractors.packed(folder)
    return folder


def test_the_weights_of_a_class_are_its_mean_embedding_at_one_scale(made):
    folders = made / "embeddings", made / "embeddings/validation"
    found = [part.read(folder).tensors["embedding"] for folder in folders]
    classes = np.concatenate([np.load(folder / "truth_class.npy") for folder in folders])
    mean = head.unit_length(np.concatenate(found))[classes == 1].mean(0)
    layer = head.read(made / "head")
    assert layer.weights[1] / np.linalg.norm(layer.weights[1]) == pytest.approx(
        mean / np.linalg.norm(mean), abs=1e-6
    )
    lengths = np.linalg.norm(layer.weights, axis=1)
    assert lengths == pytest.approx(lengths[0]) and not layer.bias.any()


def test_the_package_answers_pictures_with_the_extractor_and_the_last_layer(made):
    task = open_task(made / "package")
    answers = {
        item.path.name: task.answer(_pixels(item.path), None)["label"]
        for item in part.items(made / "test")
    }
    truth = json.loads((made / "test/truth.json").read_text())
    labels = [truth["labels"][at] for at in np.load(made / "test/truth_class.npy")]
    wanted = {item.path.name: labels[item.first] for item in part.items(made / "test")}
    assert sum(answers[name] == wanted[name] for name in wanted) > 0.6 * len(wanted)


def _pixels(path):
    from stages.media.pictures import read_picture

    return read_picture(path)


@pytest.fixture
def extended(made, pictures, tmp_path):
    """The packed model with the fourth class; the old pictures may be at hand or not."""

    def run(old):
        more = {"packed": made / "package", "extend": pictures / "more"}
        folder = extractors.embedded(
            tmp_path / f"second{old}", old and pictures / "pictures", **more
        )
        imprint(folder / "embeddings", folder / "head", folder / "decision.json", more["packed"])
        return folder

    return run


@pytest.mark.parametrize("old", [True, False])
def test_a_class_is_added_and_the_old_ones_stay_bit_for_bit(made, extended, old):
    before, after = head.read(made / "head"), head.read(extended(old) / "head")
    assert after.weights.shape[0] == before.weights.shape[0] + 1 == 4
    assert after.weights[:3].tobytes() == before.weights.tobytes()
    assert np.linalg.norm(after.weights[3]) == pytest.approx(np.linalg.norm(before.weights[0]))


def test_pictures_that_the_old_model_was_trained_on_are_not_tested_with(made, extended):
    def digests(folder):
        return set(json.loads((folder / "truth.json").read_text())["digests"])

    new = extended(True)
    for name in ("train", "train/validation"):
        assert digests(made / name) <= digests(new / name)
    assert digests(made / "test") <= digests(new / "test")


def test_without_the_old_pictures_only_the_new_class_is_tested(extended):
    folder = extended(False)
    assert set(np.load(folder / "test/truth_class.npy")) == {3}
    assert extractors.decision(folder)["head"]["kept"] == 3


def test_an_extended_model_can_be_extended_again(made, extended, pictures, tmp_path):
    folder = extended(False)
    extractors.packed(folder)
    again = tmp_path / "other"
    shutil.copytree(pictures / "more", again)
    next(again.iterdir()).rename(again / "zebra")
    more = {"packed": folder / "package", "extend": again}
    third = extractors.embedded(tmp_path / "third", None, **more)
    imprint(third / "embeddings", third / "head", third / "decision.json", more["packed"])
    before, after = (head.read(one / "head").weights for one in (folder, third))
    assert after[:4].tobytes() == before.tobytes() and len(after) == 5


def test_a_class_that_is_there_already_is_refused(made, pictures, tmp_path):
    more = {"packed": made / "package", "extend": pictures / "pictures"}
    with pytest.raises(StageError, match=r"the packed model already has the class .*: rename"):
        extractors.embedded(tmp_path / "second", None, **more)


def test_pictures_of_classes_that_the_package_lacks_are_refused(made, pictures, tmp_path):
    shutil.copytree(pictures / "more", tmp_path / "new")
    next((tmp_path / "new").iterdir()).rename(tmp_path / "new" / "zebra")
    more = {"packed": made / "package", "extend": tmp_path / "new"}
    with pytest.raises(StageError, match=r"which the packed model lacks: set assets\.pictures"):
        extractors.embedded(tmp_path / "second", pictures / "more", **more)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "last_layer"}, "was made with params.method=last_layer"),
        ({"extractor_sha256": "f" * 64}, "made with another extractor than assets.extractor"),
        (None, "was made with params.method=finetune"),
    ],
)
def test_a_package_made_otherwise_is_refused(made, pictures, tmp_path, change, said):
    about = extractors.decision(made)
    about["head"] |= change or {}
    (made / "decision.json").write_text(json.dumps(about))
    shutil.rmtree(made / "package")
    package = extractors.packed(made)
    if change is None:
        _remove_the_head(package)
    model = extractors.tiny(tmp_path / "m.tflite")
    out = tmp_path / "models", tmp_path / "picture.json"
    with pytest.raises(StageError, match=said):
        extractor(model, *out, package, method="imprint")


def _remove_the_head(package):
    """Make the package look like that of a fine-tuned network."""
    constants = json.loads((package / "constants.json").read_text())
    del constants["head"]
    (package / "constants.json").write_text(json.dumps(constants))
    manifest = json.loads((package / "manifest.json").read_text())
    digest = hashlib.sha256((package / "constants.json").read_bytes()).hexdigest()
    manifest["files"]["constants.json"] = {"sha256": digest}
    (package / "manifest.json").write_text(json.dumps(manifest))


def test_without_validation_the_scale_is_chosen_on_the_training_pictures(
    made, tmp_path, monkeypatch
):
    said = []
    monkeypatch.setattr("stages.vision._embeddings.note", said.append)
    shutil.rmtree(made / "embeddings/validation")
    metrics = imprint(made / "embeddings", tmp_path / "head", tmp_path / "decision.json")
    assert metrics["scale"] > 1 and "on the training pictures" in said[0]
