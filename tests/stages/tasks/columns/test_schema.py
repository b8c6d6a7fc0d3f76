"""The columns of a model: read as they were written, applied to rows, refused if damaged."""

import json

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks.columns import dates, schema
from stages.tasks.columns.column import LEFT_OUT, TARGET, Column, Feature
from stages.tasks.columns.schema import Schema

COLUMNS = (
    Column("id", "number", LEFT_OUT, why="it identifies rows"),
    Column(
        "speed",
        "number",
        decimal=",",
        unit="km/h",
        features=(Feature("speed", edges=(0.0, 0.1, 10.0), median=4.0, has_missing=True),),
    ),
    Column(
        "colour",
        "category",
        rare=("blau",),
        features=(Feature("colour", categories=("grün", "rot"), has_other=True),),
    ),
    Column(
        "day",
        "date",
        form=dates.DAY_FIRST,
        features=(
            Feature("day: time", "time", edges=(19000.0, 20000.0), median=19500.0),
            Feature("day: month", "month", categories=("1", "12")),
        ),
    ),
    Column("state", "category", TARGET),
)


@pytest.fixture
def found():
    return Schema(COLUMNS, id="id")


def test_it_is_read_as_it_was_written(found, tmp_path):
    found.write(tmp_path / "new")
    assert schema.read(tmp_path / "new") == found


def test_cells_of_any_kind_become_values(found):
    text = {"speed": "2,5 km/h", "colour": " ROT ", "day": "31.12.2023"}
    assert found.values(text).tolist() == [2.5, 1, 19722, 1]
    assert found.values({**text, "speed": 2.5}).tolist()[0] == 2.5
    unknown = found.values({"speed": "-", "colour": "blau", "day": "31.13.2023"})
    assert np.isnan(unknown[[0, 2, 3]]).all() and unknown[1] == 2
    assert np.isnan(found.values({"speed": [1], "colour": None})).all()


def test_true_and_1_are_different_categories():
    feature = Feature("flag", categories=("1", "true"))
    flags = Schema((Column("flag", "category", features=(feature,)),))
    cells = (1, True, 1.0, "1", "TRUE")
    assert [flags.values({"flag": cell})[0] for cell in cells] == [0, 1, 0, 0, 1]


def test_the_components_of_a_column_are_known(found):
    assert found.spans() == {"speed": (0, 3), "colour": (3, 6), "day": (6, 9)}
    assert found.size == found.encode(found.values({})[None]).shape[1] == 9
    assert found.target.name == "state"


def test_as_is_the_model_gets_the_numbers_themselves():
    plain = Schema(
        (Column("a", "number", features=(Feature("a", edges=(0.0, 1.0), median=0.5),)),),
        encoding="as is",
    )
    assert plain.size == 1
    vectors = plain.encode(np.array([[7.25], [np.nan]]))
    assert vectors.dtype == np.float64 and vectors.tolist() == [[7.25], [0.5]]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data.update(size=8), "its size is 8"),
        (lambda data: data.update(encoding="x"), "its encoding is 'x'"),
        (lambda data: data["columns"][1].update(role="x"), "its role is 'x'"),
        (lambda data: data["columns"][1].update(decimal="x"), "its decimal sign is 'x'"),
        (lambda data: data["columns"][3].update(form="x"), "its form is 'x'"),
        (lambda data: data["columns"][1].update(name="id"), "two columns have the same name"),
        (lambda data: data["columns"][1]["features"][0].update(edges=[0, 3, 2]), "do not ascend"),
        (lambda data: data["columns"][1]["features"][0].update(median=1e999), "not finite"),
        (lambda data: data["columns"][3]["features"][0].update(part="x"), "it has the part 'x'"),
        (lambda data: data["columns"][1].update(novel=1), "novel"),
        (lambda data: data.pop("columns"), "columns"),
    ],
)
def test_a_damaged_file_is_refused_with_what_is_wrong(found, tmp_path, change, why):
    data = json.loads(json.dumps(found.as_json()))
    change(data)
    (tmp_path / schema.FILE).write_text(json.dumps(data))
    with pytest.raises(StageError, match=f"damaged .*{why}.*package the model again"):
        schema.read(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 9000])
def test_a_file_that_is_no_schema_is_refused(tmp_path, content):
    (tmp_path / schema.FILE).write_text(content)
    with pytest.raises(StageError, match="package the model again"):
        schema.read(tmp_path)
