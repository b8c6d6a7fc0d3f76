"""Packages that are opened, and ones that are only described."""

import os
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.media.unreadable import Unreadable
from stages.serving.pipeline import asking, packaged
from tests.stages.tasks import packages, tables


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    model = packages.always((1, 8, 8, 3), [0.25, 0.75])
    constants = {"size": 8, "fit": "crop", "threshold": 0.5}
    folder = tmp_path_factory.mktemp("packages") / "package"
    return packages.write(folder, "classify", constants, model=model)


def test_a_described_task_draws_like_an_open_one(package):
    picture = np.full((60, 80, 3), 90, np.uint8)
    opened = packaged.open_task(package, "none", "litert", 2)
    answer = opened.answer(picture, None)
    described = packaged.describe(package)
    assert (described.draw(picture, answer) == opened.draw(picture, answer)).all()
    assert described.picture_side == opened.picture_side
    with pytest.raises(StageError, match="described, and not open"):
        described.answer(picture, None)


def test_descriptions_of_models_equal_those_of_the_runtime(package):
    from stages.tasks.package import open_package
    from stages.tflite.model import open_model

    path = open_package(package).models["model"]["float"]
    found, expected = packaged._model(path), open_model(path)
    assert (found.inputs, found.outputs) == (expected.inputs, expected.outputs)


def test_the_summary_says_what_is_served(package):
    found = packaged.summary(package, packaged.describe(package))
    assert (found["task"], found["takes"]) == ("classify", "pictures")
    assert found["labels"] == packages.LABELS
    assert len(found["version"]) == 12


def test_a_row_is_answered_by_the_names_of_its_columns(tmp_path):
    package = tables.write(tmp_path / "table")
    task = packaged.open_task(package, "none", "litert", 1)
    columns = packaged.summary(package, packaged.describe(package))["columns"]
    row = {one["name"]: one["values"][0] if one["values"] else "1" for one in columns}
    raw = asking._row(task, row)
    assert task.answer(raw, None)["value"] in packages.LABELS or columns
    with pytest.raises(Unreadable):
        asking._row(task, {"no such column": 1})


def test_a_wrong_package_is_refused_when_it_is_described(package, tmp_path):
    with pytest.raises(StageError, match="not a packaged model"):
        packaged.describe(tmp_path)
    model = packages.always((1, 8, 8, 3), [0.25, 0.25, 0.5])
    constants = {"size": 8, "fit": "crop", "threshold": 0.5}
    wrong = packages.write(tmp_path / "wrong", "classify", constants, model=model)
    with pytest.raises(StageError, match="3 classes"):
        packaged.describe(wrong)


def test_without_an_edge_tpu_the_obstacle_is_named():
    assert not packaged.is_present("none")
    assert "TFLite cannot use" in packaged.obstacle("gpu")
    assert "Edge TPU" in packaged.obstacle("edgetpu")


def test_the_ai_camera_that_no_server_uses_is_not_called_unusable():
    assert packaged.obstacle("imx500").startswith("the AI Camera's network answers only")


@pytest.mark.mirror
@pytest.mark.skipif(
    "RPI_MLOPS_MIRROR" not in os.environ, reason="RPI_MLOPS_MIRROR names no folder with real models"
)
@pytest.mark.parametrize(
    "name", ["movenet_single_pose_lightning_ptq", "mobilenet_v2_1.0_224_quant"]
)
def test_real_models_are_described_like_the_runtime_does(name):
    from stages.tflite.model import open_model

    path = Path(os.environ["RPI_MLOPS_MIRROR"]) / "models" / f"{name}.tflite"
    found, expected = packaged._model(path), open_model(path)
    assert (found.inputs, found.outputs) == (expected.inputs, expected.outputs)
