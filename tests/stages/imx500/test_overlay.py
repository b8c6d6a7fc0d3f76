"""The stages that the AI Camera adds to a pipeline."""

import importlib

import yaml

from stages.accelerators import imx500
from stages.imx500 import _converter, compile, extract
from tests.conftest import ROOT


def test_the_camera_has_stages_for_the_tasks_that_see_whole_frames():
    overlay = yaml.safe_load((ROOT / "conf/accelerator/imx500.yaml").read_text())
    conditions = [stage["when"]["task"] for stage in overlay.values() if "when" in stage]
    names = [path.stem for path in (ROOT / "stages/tasks").glob("*.py")]
    modules = [importlib.import_module(f"stages.tasks.{name}") for name in names]
    sees = {one.__name__.rpartition(".")[2] for one in modules if getattr(one, "SEES", None)}
    assert sees
    assert all(set(one) == sees for one in conditions)


def test_stages_write_the_files_that_a_package_takes():
    assert {_converter.PACKED, extract._CONVERTED} == {imx500.FILE}
    assert (compile.TENSORS, _converter.DNN_PARAMS) == imx500.BESIDE
    assert compile.VERSION == imx500.VERSION
