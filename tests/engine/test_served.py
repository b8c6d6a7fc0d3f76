"""The options of `serve`, read from the server's own file."""

import ast
import dataclasses

import pytest
from pydantic import ValidationError

from engine import served, syntax
from engine.options import declared
from stages.serving.options import Options
from stages.serving.words import parsed
from stages.tflite import compiled_forms


def test_serve_has_the_options_of_the_server_and_a_run():
    own = {one.name: one.default for one in dataclasses.fields(Options)}
    found = {one.key: one.default for one in declared(served.options())}
    assert found.pop("run") is None
    assert found == {key: own[key] for key in own if key not in served.OF_TARGET}


def test_every_option_is_described_in_one_line():
    texts = [one.description for one in declared(served.options())]
    assert all(texts) and not any("  " in text or "\n" in text for text in texts)


@pytest.mark.parametrize(
    ("key", "value"),
    [("port", 70000), ("fps", -1), ("tls", "maybe"), ("loop", "x"), ("source", 3.5j)],
)
def test_values_are_checked_as_the_server_does(key, value):
    with pytest.raises(ValidationError):
        served.options()(**{key: value})


def test_the_server_reads_the_words_as_the_same_options():
    given = {
        "source": ["0", "a=b", "[x"],
        "port": 0,
        "loop": False,
        "fps": 2.5,
        "rules": "r s.yaml",
    }
    words = served.words(served.options()(**given), {"runtime": "tflite_runtime"})
    expected = {**given, "source": tuple(given["source"]), "runtime": "tflite_runtime"}
    assert parsed(words) == dataclasses.replace(Options(), **expected)


def test_the_server_can_use_the_accelerators_that_stages_can_use():
    assert served.accelerators() == ("none", *compiled_forms.names())


def test_one_source_needs_no_brackets():
    assert served.options()(source=0).source == ("0",)


def test_only_what_differs_from_the_default_is_a_word():
    assert served.words(served.options()(port=8800, run="latest"), {}) == []


def test_a_composed_request_with_passwords_is_not_kept():
    assert served.options().IS_CACHED is False


def imported(path):
    """Return the modules of this project that a file imports."""
    module = ".".join(path.with_suffix("").parts)
    tree = ast.parse((served.ROOT / path).read_text(encoding="utf-8"))
    names = {name for name, _ in syntax.imports(tree, module)}
    return {name for name in names if name.split(".")[0] in ("engine", "stages")}


def test_the_program_for_a_device_needs_nothing_else_of_the_project():
    files = served.program_files()
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files}
    known = modules | {one.rpartition(".")[0] for one in modules}
    python = [path for path in files if path.suffix == ".py"]
    missing = {
        name
        for path in python
        for name in imported(path)
        if name.rpartition(".")[0] not in known and name not in known
    }
    assert missing == set()


def test_the_program_for_a_device_has_the_page_and_no_caches():
    names = {path.as_posix() for path in served.program_files()}
    assert {"stages/serving/web/static/page.js", "engine/stage/__init__.py"} <= names
    assert not any("__pycache__" in name or name.startswith("engine/commands") for name in names)
