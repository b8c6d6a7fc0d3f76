"""A stage's contract, read from its source without running it."""

from pathlib import Path
from textwrap import dedent

import pytest

from engine import fingerprint
from engine.contract import REQUIRED
from engine.errors import UserError
from engine.signature import Library
from tests.conftest import ROOT

TRAIN = """
    import json
    from typing import TypedDict
    from engine.stage import In, Out
    from lib import _shared
    raise SystemExit("a plan never imports a stage")
    class M(TypedDict):
        loss: float
    def train(data: In, extra: In | None, model: Out, history: Out, *, epochs: int = 3, name: str, sizes: list[int] = (1, 2)) -> M:
        \"\"\"Train it.\"\"\"
        import numpy
"""


@pytest.fixture
def library(tmp_path):
    """The package `lib`: two stages, and a helper that one of them imports."""
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "train.py").write_text(dedent(TRAIN))
    (folder / "other.py").write_text(
        "from engine.stage import Out\ndef other(data: Out) -> None: ...\n"
    )
    (folder / "_shared.py").write_text("import scipy\n")
    return Library(["lib"], [tmp_path])


def test_inputs_outputs_and_metrics(library):
    found = library.signature("lib.train", "f")
    assert (found.inputs, found.outputs, found.metrics) == (
        {"data": True, "extra": False},
        ("model", "history"),
        {"loss"},
    )


def test_parameters_with_types_and_defaults(library):
    params = library.signature("lib.train", "f").params
    assert {name: (p.annotation, p.default) for name, p in params.items()} == {
        "epochs": ("int", 3),
        "name": ("str", REQUIRED),
        "sizes": ("list[int]", [1, 2]),
    }


def test_the_sources_are_the_stage_and_the_helpers_it_imports(library):
    assert list(library.signature("lib.train", "f").sources) == ["lib._shared", "lib.train"]


def test_what_a_stage_shares_with_the_engine_is_a_source_and_the_api_is_none(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "s.py").write_text(
        "from engine.stage import Out\nfrom engine.stage import coral\ndef s(data: Out) -> None: ...\n"
    )
    found = Library(["lib"], [tmp_path, Path(__file__).parents[2]]).signature("lib.s", "f")
    assert list(found.sources) == ["engine.stage.coral", "lib.s"]


def test_a_metric_that_is_not_required_may_be_left_out_and_stand_in_a_gate(tmp_path):
    (tmp_path / "lib").mkdir()
    keys = "class M(TypedDict):\n    loss: float\n    drift: NotRequired[float]\n"
    (tmp_path / "lib" / "s.py").write_text(
        f"from engine.stage import Out\n{keys}def s(data: Out) -> M: ...\n"
    )
    found = Library(["lib"], [tmp_path]).signature("lib.s", "f")
    assert (found.metrics, found.optional_metrics) == ({"loss", "drift"}, {"drift"})


def test_the_programs_are_those_that_the_file_lists(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "s.py").write_text(
        'from engine.stage import Out\nPROGRAMS = ("cc", "ld")\ndef s(data: Out) -> None: ...\n'
    )
    (tmp_path / "lib" / "t.py").write_text(
        "from engine.stage import Out\ndef t(data: Out) -> None: ...\n"
    )
    library = Library(["lib"], [tmp_path])
    assert (library.signature("lib.s", "f").programs, library.signature("lib.t", "f").programs) == (
        ("cc", "ld"),
        (),
    )


def test_the_imports_are_those_from_outside_also_of_helpers_and_inside_functions(library):
    assert {"numpy", "scipy"} <= library.signature("lib.train", "f").imports


GUARDED = "try:\n        import torch\n    except {}:\n        torch = None"


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ("import torch", {"torch"}),
        (GUARDED.format("ImportError"), set()),
        (GUARDED.format("ModuleNotFoundError"), set()),
        (GUARDED.format("(OSError, ImportError)"), set()),
        (GUARDED.format("ImportError as error"), set()),
        (GUARDED.format("ValueError"), {"torch"}),
        (GUARDED.format("Exception"), {"torch"}),
        (GUARDED.replace(" {}", "").format(), {"torch"}),
        (f"{GUARDED.format('ImportError')}\n    import torch", {"torch"}),
        (f"import torch.nn\n    {GUARDED.format('ImportError')}", {"torch"}),
        ("try:\n        pass\n    except ImportError:\n        import torch", {"torch"}),
        (
            "try:\n        import json\n    except ImportError:\n        pass\n    else:\n        "
            "import torch",
            {"torch"},
        ),
        (
            "try:\n        from torch.nn import functional\n    except ImportError:\n        pass",
            set(),
        ),
        (
            "try:\n        if True:\n            import torch\n    except ImportError:\n        pass",
            set(),
        ),
    ],
)
def test_a_stage_does_without_what_it_imports_only_where_the_absence_is_caught(
    tmp_path, body, needs
):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "s.py").write_text(
        f"from engine.stage import Out\ndef s(data: Out) -> None:\n    {body}\n"
    )
    found = Library(["lib"], [tmp_path]).signature("lib.s", "f")
    assert "torch" in found.imports
    assert found.needs == needs


def test_what_a_helper_needs_its_stage_needs_whatever_the_stage_catches(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "_helper.py").write_text("import torch\n")
    (tmp_path / "lib" / "s.py").write_text(
        "from engine.stage import Out\nfrom lib import _helper\ndef s(data: Out) -> None:\n    "
        f"{GUARDED.format('ImportError')}\n"
    )
    assert Library(["lib"], [tmp_path]).signature("lib.s", "f").needs == {"torch"}


def test_pythons_own_modules_are_nothing_that_an_image_must_have(library):
    found = library.signature("lib.train", "f")
    assert {"json", "typing"} <= found.imports
    assert found.needs == {"numpy", "scipy"}


@pytest.mark.parametrize(
    ("changed", "stale"), [("other.py", False), ("train.py", True), ("_shared.py", True)]
)
def test_editing_a_stage_makes_those_stale_that_use_it(library, changed, stale):
    root = library.roots[0]
    before = dict(library.signature("lib.train", "f").sources)
    (root / "lib" / changed).write_text((root / "lib" / changed).read_text() + "# edited\n")
    assert (dict(Library(["lib"], [root]).signature("lib.train", "f").sources) != before) is stale


@pytest.mark.parametrize(
    ("uses", "source", "said"),
    [
        ("os.system", None, "'os.system' is outside the stage library"),
        ("lib.s..x", None, "there is no stage 'lib.s..x'"),
        ("lib._hidden", "def _hidden(): ...", "there is no stage 'lib._hidden'"),
        ("lib.s", "def t(): ...", "it has no function 's'"),
        ("lib.s", "def s(:", "Python cannot read it: invalid syntax"),
        ("lib.s", "def s(x: int): ...", "'x' is neither In nor Out"),
        *(
            (
                "lib.s",
                f"def s(x: Annotated[Out, Suffix({suffix})]): ...",
                f"Suffix({suffix}) is not a file suffix",
            )
            for suffix in ("'json'", "'../x'", "NAME", "")
        ),
        ("lib.s", "def s(*, x: int = open('x')): ...", "a default must be a plain value"),
        ("lib.s", "def s(*, x: Annotated[int, Range(ge=y)] = 1): ...", "a bound must be a number"),
        (
            "lib.s",
            "def s(*, x: Annotated[int, Range(min=1)] = 1): ...",
            "Range has no bound 'min': write ge, gt, le or lt",
        ),
        (
            "lib.s",
            "def s(*, x: Annotated[int, 1] = 1): ...",
            "bounds must be written as Range(ge=1)",
        ),
    ],
)
def test_what_is_no_stage(tmp_path, uses, source, said):
    (tmp_path / "lib").mkdir()
    if source:
        (tmp_path / "lib" / f"{uses.rpartition('.')[2]}.py").write_text(source)
    with pytest.raises(UserError) as caught:
        Library(["lib"], [tmp_path]).signature(uses, "f.yaml: stages.s.uses")
    assert caught.value.what == said


def test_the_order_of_keys_is_not_part_of_a_fingerprint():
    assert fingerprint.fingerprint({"a": {"x": 1, "y": 2}}) == fingerprint.fingerprint(
        {"a": {"y": 2, "x": 1}}
    )


def test_whole_and_broken_numbers_make_different_jobs():
    assert fingerprint.fingerprint({"parameter": {"x": 1}}) != fingerprint.fingerprint(
        {"parameter": {"x": 1.0}}
    )


@pytest.mark.parametrize(
    "source",
    [
        b"# \xff\ndef s(): ...",
        b"def s(): ...\0",
        b"x = " + b"(" * 3000 + b")" * 3000,
        b"x = " + b"-" * 9000 + b"1\n",
    ],
)
def test_a_source_that_python_cannot_read_is_named(tmp_path, source):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "s.py").write_bytes(source)
    with pytest.raises(UserError, match=r"lib/s\.py.*\n  Python cannot read it: "):
        Library(["lib"], [tmp_path]).signature("lib.s", "f.yaml: stages.s.uses")


LOADER = """
    from engine.stage import In
    LOADS = {"plugin": "lib.plugins"}
    def loader(data: In, *, plugin: str) -> None:
        import numpy
"""


@pytest.fixture
def loader(library, tmp_path):
    """A stage that imports the module which its parameter `plugin` names."""
    (tmp_path / "lib" / "loader.py").write_text(dedent(LOADER))
    (tmp_path / "lib" / "plugins").mkdir()
    (tmp_path / "lib" / "plugins" / "first.py").write_text(
        "import scipy\nimport lib._shared\ndef load(package): ...\n"
    )
    (tmp_path / "lib" / "plugins" / "helper.py").write_text("def help(): ...\n")
    return library.signature("lib.loader", "f")


def test_a_module_that_a_parameter_names_counts_as_one_that_is_imported(library, loader):
    found = library.loading(loader, {"plugin": "first"}, "f")
    assert found.sources.keys() == {"lib.loader", "lib.plugins.first", "lib._shared"}
    assert found.imports >= {"numpy", "scipy"} and "lib.plugins.first" in found.modules
    assert loader.sources.keys() == {"lib.loader"}


@pytest.mark.parametrize("accelerator", ["none", "edgetpu"])
def test_a_constant_of_the_module_that_a_parameter_names(accelerator):
    library, params = Library(["stages"], [ROOT]), {"task": "detect", "accelerator": accelerator}
    predict = library.loading(library.signature("stages.edge.predict", "f"), params, "f")
    assert library.loaded_constant(predict, params, "task", "takes") == "pictures"
    assert library.loaded_constant(predict, params, "task", "follows") is False
    assert library.loaded_constant(predict, params, "accelerator", "takes") is None


def test_without_the_parameter_nothing_is_added(library, loader):
    assert library.loading(loader, {}, "f") == loader


@pytest.mark.parametrize(("name", "added"), [("first", True), ("other", False), ("none", False)])
def test_a_parameter_whose_default_names_no_module_need_not_name_one(
    library, loader, tmp_path, name, added
):
    source = dedent(LOADER).replace("plugin: str", 'plugin: str = "none"').replace("loader", "free")
    (tmp_path / "lib" / "free.py").write_text(source)
    found = library.loading(library.signature("lib.free", "f"), {"plugin": name}, "f")
    assert ("lib.plugins.first" in found.sources) is added


@pytest.mark.parametrize("name", ["frist", "helper"])
def test_a_module_that_cannot_be_loaded_is_refused_with_those_that_can(library, loader, name):
    with pytest.raises(UserError) as caught:
        library.loading(loader, {"plugin": name}, "f")
    assert caught.value.where == "f.plugin"
    assert (caught.value.what, caught.value.fix) == (
        f"lib.plugins has no '{name}'",
        "did you mean 'first'?" if name == "frist" else "choose one of: first",
    )


def test_packages_that_a_stage_declares_as_optional_are_not_needed(library, tmp_path):
    (tmp_path / "lib" / "s.py").write_text(
        'OPTIONAL = ("scipy", "torch")\nfrom lib import _shared\nfrom engine.stage import Out\n'
        "def s(data: Out) -> None:\n    import numpy\n"
    )
    found = library.signature("lib.s", "f")
    assert (found.needs, found.optional_imports) == ({"numpy"}, {"scipy"})


def test_they_are_not_needed_by_the_modules_that_it_loads_either(library, tmp_path):
    (tmp_path / "lib" / "task.py").write_text("import torch, scipy\ndef load(): ...\n")
    (tmp_path / "lib" / "s.py").write_text(
        'OPTIONAL = ("torch",)\nLOADS = {"task": "lib"}\nfrom engine.stage import Out\n'
        "def s(data: Out, *, task: str) -> None: ...\n"
    )
    found = library.loading(library.signature("lib.s", "f"), {"task": "task"}, "f")
    assert found.needs == {"scipy"} and {"torch", "scipy"} <= found.imports
