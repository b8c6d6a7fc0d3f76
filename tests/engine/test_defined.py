"""What the functions of a user's folder may look like. The messages are in tests/messages."""

import json

import pytest

from engine import compose, defined, planning, registration
from engine.contract import Contract

CONTRACT = Contract(
    label="stages.x.train",
    defines={"code": {"model.py:model": ["shape"]}},
    keywords={"arguments": ["code", "model.py:model"]},
)
STAGE = """
    from engine.stage import In, Out
    DEFINES = {"code": {"model.py:model": ["shape"]}}
    KEYWORDS = {"arguments": ["code", "model.py:model"]}
    def fit(code: In, data: Out, *, arguments: dict[str, object] | None = None) -> None: ...
"""


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        ("def model(): ...", None),
        ("def model(shape): ...", {}),
        ("def model(units): ...", {"units": 3}),
        ("def model(*units, **others): ...", {"anything": "x"}),
        ("def model(units: int | None = None): ...", {"units": 3}),
        ("def model(units: 'int'): ...", {"units": "x"}),
        ("def model(units: Annotated[int, Gt(3)]): ...", {"units": 2}),
        ("def model(units: np.ndarray): ...", {"units": 2}),
        ("from other import model", {"units": 3}),
        ("import other as model", {}),
        ("model = lambda units: units", {"units": 3}),
        ("if True:\n    def model(): ...\nmodel = model", {}),
        ("\ufeffdef model(): ...", {}),
    ],
)
def test_these_functions_can_be_called(tmp_path, source, arguments):
    (tmp_path / "model.py").write_text(source, encoding="utf-8")
    params = {"arguments": arguments}
    assert list(defined.mistakes(CONTRACT, "code", tmp_path, params, "u: stages.s")) == []


def test_the_code_of_the_user_does_not_run_when_planning(tmp_path):
    (tmp_path / "model.py").write_text("raise SystemExit\ndef model(): ...")
    assert list(defined.mistakes(CONTRACT, "code", tmp_path, {}, "u: stages.s")) == []


def test_a_plan_reports_each_mistake_where_its_value_was_written(project):
    folder = project.path / "mine"
    folder.mkdir()
    (folder / "model.py").write_text("def model(units: int): ...")
    project.stage("fit", STAGE)
    stages = {
        name: {
            "uses": "mystages.fit",
            "inputs": {"code": "asset:code"},
            "params": {"arguments": "${params.net}"},
        }
        for name in ("a", "b")
    }
    usecase = {"name": "fits", "assets": {"code": str(folder)}, "params": {"net": {}}}
    project.usecase("fits", json.dumps({**usecase, "stages": stages}))

    def found(*words):
        line = ["--config-dir", str(project.path / "conf"), "stage_packages=[mystages]"]
        line += ["usecase=fits", "tracking=none", f"outputs={project.outputs}", *words]
        try:
            planning.plan(compose.single(registration.register(line)))
        except ExceptionGroup as caught:
            return [one.where for one in caught.exceptions]
        return []

    [needed] = found()  # of both stages
    assert needed.endswith("fits.yaml: params.net.units")
    assert found("params.net.units=x") == ["params.net.units=x"]
    assert found("params.net.units=3") == []
