"""The images of containers/: which one a stage gets, and what its tag depends on."""

import shutil
from pathlib import Path

import pytest

from engine import images
from engine.errors import UserError
from engine.images import ARCHITECTURES, Image
from engine.signature import Library

ROOT = Path(__file__).resolve().parents[2]
AMD64, ARM64, ARMV7 = ARCHITECTURES
SOURCES = {"stages.containers.build": "1" * 64, "stages.containers.base": "2" * 64}

FILES = {
    "base/debian-amd64.lock": "python3.11 3.11.2-6 amd64\n",
    "base/debian-armv7.lock": "python3.11 3.11.2-6 armhf\n",
    "base/registry.txt": "debian@sha256:1\n",
    "small/image.yaml": "description: small\nplatforms: [linux/amd64, linux/arm/v7]\nbase: base\n",
    "small/requirements-amd64.lock": (
        "numpy==1.26.4 --hash=sha256:1\nAI-Edge-LiteRT==2.3.0\n    # via nothing==1\n"
    ),
    "small/requirements-armv7.lock": "tflite-runtime==2.14.0\n",
    "small/debian-armv7.lock": "python3-numpy 1:1.24.2-1 armhf https://example.org\nlibblas3 3.11 armhf\n",
    "small/readme.txt": "what it is for\n",
    "small/deep/notes.txt": "also below\n",
    "unrelated/image.yaml": "description: another\nplatforms: [linux/amd64]\n",
}


@pytest.fixture
def containers(tmp_path) -> Path:
    """A folder of images' definitions."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def _tags(folder: Path, sources=SOURCES, base: str = "registry") -> dict[tuple[str, str], str]:
    return {(image.name, image.platform): image.tag for image in images.read(folder, sources, base)}


def _image(name: str, *packages: str, platform: str = AMD64, optional: bool = False) -> Image:
    return Image(name, platform, "amd64-1", frozenset(packages), optional, "containers")


RUNTIME = _image("runtime", "numpy", "ai_edge_litert", "pillow")
TRAIN = _image(
    "train",
    "numpy",
    "ai_edge_litert",
    "tflite_runtime",
    "pillow",
    "tensorflow",
    "opencv_python_headless",
)
ARM = _image("runtime", "numpy", "tflite_runtime", platform=ARMV7)
EDGETPU = _image("edgetpu", "numpy", "tflite_runtime", optional=True)
ALL = (TRAIN, RUNTIME, EDGETPU, ARM)


# --- definitions


def test_every_image_is_there_for_each_of_its_platforms(containers):
    assert sorted(_tags(containers)) == [("small", AMD64), ("small", ARMV7), ("unrelated", AMD64)]


def test_the_packages_are_those_of_the_locks_of_the_images_architecture(containers):
    found = {
        image.platform: image.packages
        for image in images.read(containers, SOURCES, "registry")
        if image.name == "small"
    }
    assert found == {AMD64: {"numpy", "ai_edge_litert"}, ARMV7: {"tflite_runtime", "numpy"}}


def test_an_image_names_the_stage_that_builds_it_and_what_an_engine_knows_it_by():
    image = Image("edgetpu-runtime", ARMV7, "armv7-0123456789ab", frozenset(), False, "containers")
    assert (image.stage, image.full_name) == (
        "build_edgetpu_runtime@armv7",
        "raspberrypi-mlops/edgetpu-runtime:armv7-0123456789ab",
    )


def test_a_tag_begins_with_the_architecture(containers):
    assert all(
        tag.startswith(f"{ARCHITECTURES[platform]}-") and len(tag.rpartition("-")[2]) == 12
        for (_, platform), tag in _tags(containers).items()
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("platforms: [linux/amd64]", "small/image.yaml: description"),
        ("description: x\nplatforms: []", "small/image.yaml: platforms"),
        ("description: x\nplatforms: [linux/amd64]\nbase: ../..", "small/image.yaml: base"),
        ("description: x\nplatforms: [windows/amd64]", "small/image.yaml: platforms"),
        ("description: x\nplatforms: [linux/amd64]\nusecase: a/b", "small/image.yaml: usecase"),
        ("- a list", "small/image.yaml"),
        ("description: [", "small/image.yaml"),
        ("", "small/image.yaml"),
    ],
)
def test_a_definition_that_is_wrong_is_refused_with_its_place(containers, text, said):
    (containers / "small" / "image.yaml").write_text(text)
    with pytest.raises((UserError, ExceptionGroup)) as caught:
        images.read(containers, SOURCES, "registry")
    [mistake] = getattr(caught.value, "exceptions", [caught.value])
    assert isinstance(mistake, UserError) and said in mistake.where and mistake.what and mistake.fix


def test_where_there_is_no_folder_there_is_no_image(tmp_path):
    assert images.read(tmp_path / "containers", SOURCES, "registry") == []


def test_the_projects_own_definitions_are_read():
    found = {
        (image.name, image.platform): image
        for image in images.read(ROOT / "containers", SOURCES, "registry")
    }
    assert {"numpy", "tflite_runtime", "pillow"} <= found["runtime", AMD64].packages
    assert (
        images.lacking(found["train", AMD64], frozenset({"tensorflow", "cv2", "numpy"}), "litert")
        == []
    )
    assert ("train", ARMV7) not in found
    assert "numpy" in found["runtime", ARMV7].packages  # from Debian


def test_every_stage_of_the_library_has_an_image():
    """Those of `stages.containers` are left out: they build the images."""
    library = Library(("stages",), (ROOT,))
    at_hand = images.read(ROOT / "containers", SOURCES, "registry")
    names = [one for one in library.names() if not one.startswith("stages.containers.")]
    assert {"stages.detection.dataset", "stages.edge.infer"} <= set(names)
    runtimes = frozenset(images.RUNTIMES.values())
    for name in names:
        contract = library.signature(name, name)
        images.serving(at_hand, AMD64, contract.needs | contract.imports & runtimes, "litert")


# --- tags


def test_a_tag_stays_while_nothing_changes(containers):
    assert _tags(containers) == _tags(containers)


def test_a_tag_does_not_depend_on_where_the_folder_lies_or_when_its_files_were_written(
    containers, tmp_path_factory
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in reversed(FILES):
        (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / name).write_text(FILES[name])
    assert _tags(containers) == _tags(elsewhere)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("small/image.yaml", [("small", AMD64), ("small", ARMV7)]),
        ("small/readme.txt", [("small", AMD64), ("small", ARMV7)]),
        ("small/deep/notes.txt", [("small", AMD64), ("small", ARMV7)]),
        ("small/new.txt", [("small", AMD64), ("small", ARMV7)]),
        ("small/requirements-amd64.lock", [("small", AMD64)]),
        ("small/requirements-armv7.lock", [("small", ARMV7)]),
        ("small/debian-armv7.lock", [("small", ARMV7)]),
        ("base/registry.txt", [("small", AMD64), ("small", ARMV7)]),
        ("base/debian-amd64.lock", [("small", AMD64)]),
        ("base/debian-armv7.lock", [("small", ARMV7)]),
        ("base/debian-arm64.lock", []),
        ("unrelated/image.yaml", [("unrelated", AMD64)]),
        ("beside.txt", []),
    ],
)
def test_a_file_changes_the_tags_of_what_it_goes_into_and_no_others(containers, name, changed):
    before = _tags(containers)
    with (containers / name).open("a") as file:
        file.write("# edited\n")
    after = _tags(containers)
    assert sorted(key for key in before if before[key] != after[key]) == sorted(changed)


def test_a_file_under_another_name_is_another_image(containers):
    before = _tags(containers)
    (containers / "small" / "readme.txt").rename(containers / "small" / "read_me.txt")
    assert _tags(containers)["small", AMD64] != before["small", AMD64]


@pytest.mark.parametrize(
    "changes",
    [
        {"sources": {**SOURCES, "stages.containers.build": "3" * 64}},
        {"sources": {**SOURCES, "stages.containers._new": "3" * 64}},
        {"sources": {}},
        {"base": "bootstrap"},
    ],
    ids=["a builder changed", "a builder more", "no builder", "another Debian"],
)
def test_what_builds_the_images_is_in_every_tag(containers, changes):
    before, after = _tags(containers), _tags(containers, **changes)
    assert all(before[key] != after[key] for key in before)


def test_the_order_of_the_builders_is_in_no_tag(containers):
    assert _tags(containers) == _tags(containers, dict(reversed(SOURCES.items())))


def test_the_code_that_builds_environments_is_in_their_tags_only(containers):
    def tags(more):
        found = images.read(containers, SOURCES, "registry", more)
        return {(image.name, image.platform): image.tag for image in found}

    more = {"stages.containers.environment": "4" * 64}
    assert tags(more) == tags({})
    (containers / "unrelated" / "environment.yaml").write_text("python: '3.11'\nsize: 1G\n")
    changed = [key for key, tag in tags({}).items() if tag != tags(more)[key]]
    assert changed == [("unrelated", AMD64)]
    found = images.read(containers, SOURCES, "registry")
    assert [image.name for image in found if image.on_demand] == ["unrelated"]


# --- selection of an image


@pytest.mark.parametrize(
    ("packages", "name"),
    [
        ((), "runtime"),
        (("numpy",), "runtime"),
        (("numpy", "PIL"), "runtime"),
        (("cv2",), "train"),
        (("tensorflow", "numpy"), "train"),
    ],
)
def test_the_smallest_image_that_has_everything_serves(packages, name):
    assert images.serving(ALL, AMD64, frozenset(packages), "litert").name == name


@pytest.mark.parametrize("runtime", ["litert", "tflite_runtime"])
def test_of_two_runtimes_that_a_stage_can_use_only_the_targets_is_needed(runtime):
    both = frozenset(images.RUNTIMES.values())
    assert (
        images.serving(ALL, AMD64, both, runtime).name
        == {"litert": "runtime", "tflite_runtime": "train"}[runtime]
    )


def test_a_stage_that_uses_one_runtime_needs_the_targets_own():
    assert images.lacking(RUNTIME, frozenset({"ai_edge_litert"}), "tflite_runtime") == [
        "tflite_runtime"
    ]


def test_a_stage_without_a_runtime_needs_none():
    assert images.lacking(_image("plain"), frozenset(), "litert") == []


def test_an_optional_image_serves_nobody_who_did_not_name_it():
    assert (
        images.serving(
            (EDGETPU, TRAIN), AMD64, frozenset({"tflite_runtime"}), "tflite_runtime"
        ).name
        == "train"
    )


def test_an_image_of_another_platform_serves_nobody():
    assert images.serving(ALL, ARMV7, frozenset({"numpy"}), "litert") is ARM


@pytest.mark.parametrize(
    ("platform", "packages", "what", "fix"),
    [
        (
            ARMV7,
            {"tensorflow"},
            "no image for linux/arm/v7 has tensorflow, which the stage imports",
            "run the stage on the build machine: runs_on: build",
        ),
        (
            AMD64,
            {"torch"},
            "no image for linux/amd64 has torch, which the stage imports",
            "add torch to an image in containers/",
        ),
        (
            AMD64,
            {"cv2", "torch"},
            "no image for linux/amd64 has torch, which the stage imports",
            "add torch to an image in containers/",
        ),
        (
            ARM64,
            {"numpy"},
            "there is no image for linux/arm64",
            "add one in containers/; images exist for linux/amd64 and linux/arm/v7",
        ),
    ],
)
def test_where_none_serves_the_refusal_names_what_is_lacking_and_a_fix(
    platform, packages, what, fix
):
    with pytest.raises(UserError) as caught:
        images.serving(ALL, platform, frozenset(packages), "litert")
    assert (caught.value.what, caught.value.fix) == (what, fix)


def test_an_image_is_found_by_its_name_for_a_platform():
    assert images.named(ALL, "runtime", ARMV7) is ARM
    assert images.named(ALL, "train", ARMV7) is None


def test_the_base_of_a_users_image_may_be_the_projects(containers, tmp_path):
    mine = tmp_path / "mine" / "containers" / "own"
    mine.mkdir(parents=True)
    (mine / "image.yaml").write_text("description: own\nplatforms: [linux/amd64]\nbase: base\n")
    [before] = _tags(mine.parent).values()
    (mine / "image.yaml").write_text("description: own\nplatforms: [linux/amd64]\n")
    [without] = _tags(mine.parent).values()
    assert before != without
    (mine / "image.yaml").write_text("description: own\nplatforms: [linux/amd64]\nbase: base\n")
    shutil.copytree(ROOT / "containers" / "base", mine.parent / "base")
    assert _tags(mine.parent) == {("own", AMD64): before}


@pytest.mark.parametrize(
    ("full_name", "name"),
    [
        ("raspberrypi-mlops/runtime:arm64-0123456789ab", "runtime"),
        ("raspberrypi-mlops/runtime:latest", None),
        ("raspberrypi-mlops/runtime:arm64-0123456789ab2", None),
        ("localhost:5000/raspberrypi-mlops/runtime:arm64-0123456789ab", None),
    ],
)
def test_a_name_that_was_made_here_is_known_from_others(full_name, name):
    assert images.name_in(full_name) == name
