"""What is registered with Hydra for a command line. Refusals are in tests/messages."""

import pytest

from engine import catalogue, command_line, compose, registration
from engine.errors import UserError

USES_DATA = """
    params: {net: {units: 1}, n: 2}
    assets:
      model: null
      outputs: null
    stages:
      a: {uses: mystages.make}
"""


@pytest.fixture
def words(project):
    """Return the words that Hydra gets, for a use case with an asset `model` and for another one."""
    project.usecase("own", USES_DATA)

    def read(*given: str, command: str = "run"):
        where = ("--config-dir", str(project.path / "conf"), "usecase=own")
        return registration.read([*where, *given], command_line.options_of(command)).words[1:]

    return read


def test_an_asset_may_be_named_without_its_group(words):
    assert words("model=net.keras") == ("assets.model=net.keras",)
    assert words("-m", "model=a,b", command="plan") == ("-m", "assets.model=a,b")


@pytest.mark.parametrize("word", ["outputs=there", "assets.model=a", "mode=a", "+model=a"])
def test_another_key_stays_as_it_is(words, word):
    assert words(word) == (word,)


def test_a_key_inside_a_parameter_that_is_a_mapping_may_be_new(words):
    assert words("params.net.depth=2") == ("++params.net.depth=2",)
    assert words("-m", "params.net.units=2,3") == ("-m", "++params.net.units=2,3")
    assert words("params.net={depth: 2}") == ("++params.net={depth: 2}",)


@pytest.mark.parametrize("word", ["params.n.depth=2", "params.nett.depth=2", "params.n={a: 1}"])
def test_a_key_inside_another_parameter_is_not_added(words, word):
    assert words(word) == (word,)


def test_an_option_of_the_command_comes_before_an_asset(words):
    assert words("model=a.tflite", command="edgetpu") == ("model=a.tflite",)


def test_the_default_use_case_has_assets_too(project):
    assert registration.read(["data=there", "model=a"]).words == ("data=there", "model=a")
    assert registration.read(["pose_model=a"]).words == ("assets.pose_model=a",)


@pytest.mark.parametrize("file", ["état", "my case", "d'été [1]"])
def test_a_file_with_an_odd_name_is_a_use_case(project, monkeypatch, file):
    monkeypatch.chdir(project.path)
    chain = project.path / "conf" / "usecases" / "chain.yaml"
    lines = chain.read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("name:"))
    chain.with_name(f"{file}.yaml").write_text(text, encoding="utf-8")
    for word in (f"usecase={file}", f"usecase=conf/usecases/{file}.yaml"):
        made = compose.single(registration.register(["--config-dir=conf", word]))
        assert made.usecase.name == catalogue.name_of(file)


def test_the_checkouts_own_files_follow_the_same_rules_for_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "ROOT", tmp_path)
    (tmp_path / "conf" / "target").mkdir(parents=True)
    (tmp_path / "conf" / "target" / "odd.yaml").write_text("name: odd\ncpus: 1_6\n")
    config = {"defaults": [{"target": "odd"}, {"executor": "auto"}, {"tracking": "none"}]}
    for words in ((), ("target=rpi4,odd",)):
        with pytest.raises(UserError, match="'1_6' is not a number here"):
            registration._check_own_groups(config, words)
    registration._check_own_groups(config, ("target=rpi4",))


def test_the_files_of_a_line_are_those_of_the_use_cases_it_chooses(project):
    other = project.usecase("other", "name: other\nparams: {depth: 1}\n")
    folder = f"--config-dir={project.path / 'conf'}"
    assert registration.files(registration.read([folder, "usecase=other"])) == [other]
    assert other not in registration.files(registration.read([folder, "usecase=chain"]))
