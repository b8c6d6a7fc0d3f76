"""Which data a request uses: what the user names or provides, or what an asset sets."""

import pytest

from engine.asset import Asset
from tests.engine.conftest import READS


def _mistakes(asks, *words: str) -> list[list[str]]:
    return [[mistake.where, mistake.what, mistake.fix] for mistake in asks(*words).mistakes]


def test_an_asset_is_a_declared_one_by_its_name(asks):
    assert isinstance(asks("usecase=reads").assets["mine"], Asset)


def test_an_asset_is_a_path_that_exists(asks, project):
    (project.path / "numbers").touch()
    assert asks("usecase=reads", "assets.mine=numbers").assets["mine"] == project.path / "numbers"


def test_a_folder_may_have_a_number_for_a_name(asks, project):
    (project.path / "2024").mkdir()
    assert asks("usecase=reads", "assets.mine=2024").assets["mine"] == project.path / "2024"


def test_a_declared_asset_may_be_a_folder_of_the_project(asks, project):
    (project.path / "numbers").mkdir()
    declared = project.path / "conf" / "asset" / "own.yaml"
    declared.parent.mkdir(exist_ok=True)
    declared.write_text("{name: own, description: own, licence: MIT, path: numbers}")
    found = asks("usecase=reads", "assets.mine=own").assets["mine"]
    assert (found.name, found.path) == ("own", str(project.path / "numbers"))


def test_an_asset_may_be_switched_off(asks):
    assert asks("usecase=reads", "assets.mine=null").assets["mine"] is None


def test_what_an_asset_asks_for_is_taken_where_the_user_says_nothing(asks):
    request = asks("usecase=reads")
    assert (
        request.usecase.params["n"],
        request.usecase.stages["b"].params["n"],
        request.assets["other"],
    ) == (7, 7, None)


@pytest.mark.parametrize("value", ["5", "3"])
def test_what_the_user_says_wins_over_what_an_asset_asks_for(asks, value):
    assert asks("usecase=reads", f"params.n={value}").usecase.params["n"] == int(value)
    assert isinstance(asks("usecase=reads", "assets.other=model").assets["other"], Asset)


def test_an_asset_in_whose_place_another_is_read_asks_for_nothing(asks, project):
    preferring = READS.replace('"asset:mine"', '["asset:better", "asset:mine"]')
    text = preferring.replace("other: model", "other: model, better: null")
    project.usecase("prefers", text.replace("name: reads", "name: prefers"))
    assert asks("usecase=prefers").usecase.params["n"] == 7
    (project.path / "numbers").touch()
    assert asks("usecase=prefers", "assets.better=numbers").usecase.params["n"] == 3


def test_another_asset_does_not_ask_for_what_the_first_did(asks):
    assert asks("usecase=reads", "assets.mine=model").usecase.params["n"] == 3


def test_a_plan_reaches_as_far_as_its_data_and_says_so(asks):
    request = asks("usecase=reads")
    assert request.settings.until == ("a",)
    assert "sample can only be used up to a: no later stage is planned" in request.notes
    assert asks("usecase=reads", "until=[b]").settings.until == ("b",)


@pytest.fixture
def own_data(project):
    """Data that the user has put into data/reads/."""
    folder = project.path / "data" / "reads"
    folder.mkdir(parents=True)
    (folder / "numbers").write_text("4")
    return folder


def test_the_users_own_data_takes_the_place_of_a_sample(asks, own_data):
    request = asks("usecase=reads")
    assert request.assets["mine"] == own_data
    assert request.notes == ("using data/reads as mine instead of the sample sample",)
    assert (request.usecase.params["n"], request.settings.until) == (3, ())


def test_own_data_is_found_from_every_folder_of_the_project(asks, own_data, monkeypatch):
    monkeypatch.chdir(own_data)
    request = asks("usecase=reads")
    assert request.assets["mine"] == own_data
    assert request.outputs == own_data.parents[1] / "outputs"


def test_folders_that_are_named_begin_in_the_current_one(asks, own_data, monkeypatch):
    monkeypatch.chdir(own_data)
    request = asks("usecase=reads", "outputs=here", "data=.")
    assert request.outputs == own_data / "here" and isinstance(request.assets["mine"], Asset)


def test_an_empty_folder_is_no_data(asks, own_data):
    (own_data / "numbers").unlink()
    assert isinstance(asks("usecase=reads").assets["mine"], Asset)


def test_an_asset_that_the_user_names_wins_over_the_folder_of_own_data(asks, own_data):
    assert isinstance(asks("usecase=reads", "assets.mine=sample").assets["mine"], Asset)


def test_an_asset_that_is_no_sample_keeps_its_place(asks, own_data):
    assert isinstance(asks("usecase=reads", "assets.other=model").assets["other"], Asset)


def test_every_asset_that_cannot_be_had_is_reported_at_once(asks):
    assert _mistakes(asks, "usecase=reads", "assets.mine=sampel", "assets.other=/no/such") == [
        [
            "conf/usecases/reads.yaml: assets.mine",
            "'sampel' is neither a declared asset nor a path that exists",
            "did you mean 'sample'?",
        ],
        [
            "conf/usecases/reads.yaml: assets.other",
            "'/no/such' is neither a declared asset nor a path that exists",
            "check the path: there is no '/no'",
        ],
    ]


@pytest.mark.parametrize(
    ("typed", "fix"),
    [
        ("modle.keras", "did you mean 'model.keras'?"),
        ("{here}/modle.keras", "did you mean 'model.keras'?"),
        ("other.bin", "check the path: {here} has no 'other.bin'"),
        ("modles/a/b.keras", "check the path: there is no '{here}/modles'"),
    ],
)
def test_what_is_wrong_with_a_path_is_reported(asks, project, typed, fix):
    (project.path / "model.keras").touch()
    word = f"assets.mine={typed}".replace("{here}", str(project.path))
    (told,) = _mistakes(asks, "usecase=reads", word)
    assert told[2] == fix.replace("{here}", str(project.path))
