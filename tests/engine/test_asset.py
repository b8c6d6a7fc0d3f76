"""The model of a declared asset. Refusals are in tests/messages."""

from pathlib import Path

import pytest

from engine import asset, yamlfile
from engine.signature import Library

ROOT = Path(__file__).resolve().parents[2]
ASSETS = sorted(ROOT.glob("conf/asset/*.yaml"))
MADE = {
    "name": "m",
    "description": "",
    "licence": "MIT",
    "made_by": {"uses": "stages.x.y", "output": "data"},
}
FILE = {
    "path": "a/b.tflite",
    "mirror": "m/b.tflite",
    "url": "https://x/b",
    "sha256": "0" * 64,
    "bytes": 1,
}


def _load(path: Path) -> asset.Asset:
    return asset.parse(yamlfile.load(path), path.name)


def test_an_asset_asks_for_nothing_by_default():
    found = asset.parse(MADE, "m.yaml")
    assert (
        found.sample,
        found.until,
        dict(found.settings.params),
        dict(found.settings.assets),
    ) == (
        False,
        (),
        {},
        {},
    )


def test_an_asset_without_a_licence_says_so():
    assert asset.parse({**MADE, "licence": None}, "m.yaml").licence is None


def test_an_asset_of_files_keeps_their_order():
    files = [{**FILE, "path": name} for name in ("b", "a")]
    found = asset.parse({"name": "m", "description": "", "licence": None, "files": files}, "m.yaml")
    assert [file.path for file in found.files] == ["b", "a"]


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.stem)
def test_a_shipped_asset_is_named_as_its_file_and_says_what_it_is(path):
    found = _load(path)
    assert (found.name, bool(found.description)) == (path.stem, True)


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.stem)
def test_a_shipped_asset_that_a_stage_makes_names_an_output_of_it(path):
    made_by = _load(path).made_by
    if made_by is None:
        assert all(file.bytes > 0 for file in _load(path).files)
    else:
        signature = Library(["stages"], [ROOT]).signature(made_by.uses, path.name)
        assert (
            made_by.output in signature.outputs and made_by.params.keys() <= signature.params.keys()
        )


@pytest.mark.parametrize("name", ["/", "a.b", "a b", "", "é"])
@pytest.mark.parametrize("where", ["params", "assets", "made_by"])
def test_what_an_asset_sets_is_named_as_in_a_use_case(name, where):
    data = (
        {**MADE, "made_by": {**MADE["made_by"], "params": {name: 1}}}
        if where == "made_by"
        else {**MADE, "settings": {where: {name: "1"}}}
    )
    with pytest.raises(ExceptionGroup) as caught:
        asset.parse(data, "m.yaml")
    assert [mistake.what for mistake in caught.value.exceptions] == [
        f"'{name}' is not a valid name"
    ]
