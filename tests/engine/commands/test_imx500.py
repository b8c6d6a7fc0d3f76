"""`imx500`: whether a model fits in the AI Camera, and why not.

A stand-in makes the report, because the real stage needs Sony's tools; tests/stages/imx500/test_fit.py runs it.
The figures are those that imxconv-tf 3.19.2 reported for MobileNetV2 (alpha 0.35, 96 x 96 pixels, ten classes).
"""

import json
from pathlib import Path

import pytest

from engine import single_job
from engine.commands import imx500

FITS = {
    "v": 1,
    "measured": True,
    "why": None,
    "role": None,
    "fits": True,
    "memory_bytes": 805_089,
    "available_bytes": 8_388_608,
    "memory_used_share": 805_089 / 8_388_608,
    "weights_bytes": 578_785,
    "activations_bytes": 225_280,
    "reserved_bytes": 1_024,
    "input_persistency_bytes": 31_744,
    "largest": [
        {
            "name": "Conv_1",
            "operator": "Conv2D",
            "weights_bytes": 143_360,
            "output_bytes": 11_520,
        },
        {
            "name": "block_1_expand",
            "operator": "Conv2D",
            "weights_bytes": 384,
            "output_bytes": 110_592,
        },
    ],
    "unsupported": [],
    "advice": ["use a narrower network"],
    "by": "imxconv-tf 3.19.2",
}
TOO_LARGE = {**FITS, "fits": False, "memory_bytes": 25_165_824, "memory_used_share": 3.0}
REFUSED = {"v": 1, "measured": False, "why": "it has operators that the camera lacks: ELU in 'a'"}
STAND_IN = """
    import json
    from engine.stage import In, Out, StageError
    def fit(model: In, report: Out) -> None:
        given = json.loads((model / "architecture.json" if model.is_dir() else model).read_text())
        if "refusal" in given:
            raise StageError(given["refusal"])
        report.write_text(json.dumps(given["report"]))
"""


@pytest.fixture
def model(project, monkeypatch) -> Path:
    """A file that the stand-in takes for a model; it contains the stand-in's report."""
    project.stage("fit", STAND_IN)
    monkeypatch.setattr(imx500, "PACKAGE", "mystages")
    monkeypatch.setattr(imx500, "STAGE", "mystages.fit")
    monkeypatch.setattr(imx500, "SPEC", single_job.HERE)
    path: Path = project.path / "small.keras"
    path.write_text(json.dumps({"report": FITS}))
    return path


def test_a_table_names_the_largest_layers_and_says_that_the_model_fits(model, give):
    said = give("imx500", "model=small.keras")
    assert said.status == 0
    assert [line.split() for line in said.lines[1:3]] == [
        ["Conv_1", "Conv2D", "143,360", "11,520"],
        ["block_1_expand", "Conv2D", "384", "110,592"],
    ]
    assert said.lines[4:] == [
        "fits in the AI Camera: 0.77 of 8.00 MB (10%)",
        "weights 0.55 MB, activations 0.21 MB",
        "measured by imxconv-tf 3.19.2, with random pictures: the memory is that of any weights and "
        "pictures",
    ]


def test_a_model_that_does_not_fit_comes_with_what_to_reduce(model, give):
    model.write_text(json.dumps({"report": TOO_LARGE}))
    said = give("imx500", "model=small.keras")
    assert (said.status, said.lines[4]) == (
        0,
        "does not fit in the AI Camera: 24.00 of 8.00 MB (300%)",
    )
    assert "to make it fit, use a narrower network" in said.lines


def test_a_model_that_cannot_be_converted_comes_with_the_reason(model, give):
    model.write_text(json.dumps({"report": REFUSED}))
    said = give("imx500", "model=small.keras")
    why = "not converted: it has operators that the camera lacks: ELU in 'a'"
    assert (said.status, said.lines) == (1, [why])


def test_json_is_the_report(model, give):
    said = give("imx500", f"model={model}", "format=json")
    assert (said.status, json.loads(said.out)) == (0, FITS)


def test_a_model_that_the_stage_refuses_is_three_lines(model, give):
    model.write_text(json.dumps({"refusal": "small.keras is no Keras model"}))
    said = give("imx500", "model=small.keras")
    assert (said.status, said.out) == (2, "")
    assert [line.strip() for line in said.err.splitlines()][-3:] == [
        "model=small.keras",
        "small.keras is no Keras model",
        f"give {imx500.FORMS}",
    ]


def test_a_folder_with_an_architecture_is_a_model_and_another_is_not(model, give, project):
    said = give("imx500", "model=conf")
    assert (said.status, said.err.splitlines()[1].strip()) == (
        2,
        "the folder has no architecture.json",
    )
    model.rename(project.path / "conf" / "architecture.json")
    assert give("imx500", "model=conf").status == 0


def test_nothing_of_it_stays_in_the_store(model, give, project):
    assert give("imx500", "model=small.keras").status == 0
    assert [path for path in project.outputs.rglob("*") if "imx500" in path.name] == []
