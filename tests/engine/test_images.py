"""The images that there are definitions of: which of them serves a stage, and when its tag is another."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import images, yamlfile
from engine.errors import UserError
from engine.images import Image

ROOT = Path(__file__).resolve().parents[2]
AMD, ARM64, ARMV7 = images.ARCHITECTURES
SMALL = Image("small", AMD, "1", frozenset({"numpy", "tflite_runtime", "ai_edge_litert"}), False, "containers")
LARGE = Image("large", AMD, "1", SMALL.packages | {"tensorflow_cpu", "opencv_python_headless"}, False, "containers")
EXTRA = Image("extra", AMD, "1", frozenset({"numpy"}), True, "containers")
ARM = Image("small", ARM64, "1", frozenset({"numpy", "tflite_runtime", "opencv"}), False, "containers")
ALL = [LARGE, SMALL, EXTRA, ARM]
SOURCES = {"stages.containers.build": "0" * 64}


@pytest.fixture
def containers(tmp_path):
    """An image for two platforms, on a base."""
    files = {
        "plain/image.yaml": "name: plain\ndescription: x\nplatforms: [linux/amd64, linux/arm/v7]\nbase: base\n",
        "plain/requirements-amd64.lock": "# made\nNumPy==1.26.4 --hash=sha256:0\nopencv-python-headless==4.11 --hash=sha256:1\n",
        "plain/debian-armv7.lock": "epoch 1\npython3-numpy 1:1.24 pool/x.deb 0\npython3-pil 9.4 pool/y.deb 1\nlibopenblas0 0.3 pool/z.deb 2\n",
        "base/debian-amd64.lock": "epoch 1\n",
        "base/debian-armv7.lock": "epoch 1\n",
        "base/registry.txt": "debian@sha256:0\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def _tags(folder: Path, sources: dict[str, str] = SOURCES, base: str = "bootstrap") -> tuple[str, str]:
    amd, arm = images.read(folder, sources, base)
    assert (amd.platform, arm.platform) == (AMD, ARMV7)
    return amd.tag, arm.tag


# --- what serves a stage


@pytest.mark.parametrize(("platform", "packages", "served"), [
    (AMD, set(), SMALL),
    (AMD, {"numpy"}, SMALL),
    (AMD, {"numpy", "tensorflow"}, LARGE),
    (AMD, {"cv2"}, LARGE),  # opencv_python_headless of PyPI
    (ARM64, {"cv2"}, ARM),  # opencv of Debian
])  # fmt: skip
def test_the_smallest_image_that_has_what_the_stage_imports_serves_it(platform, packages, served):
    assert images.serving(ALL, platform, frozenset(packages), "tflite_runtime") == served


def test_what_is_optional_serves_nobody_by_itself():
    assert images.serving([EXTRA, SMALL], AMD, frozenset({"numpy"}), "litert") == SMALL
    with pytest.raises(UserError, match="no image serves linux/amd64"):
        images.serving([EXTRA], AMD, frozenset(), "litert")


def test_of_two_runtimes_only_the_targets_is_needed():
    both = frozenset({"ai_edge_litert", "tflite_runtime"})
    assert images.serving(ALL, ARM64, both, "tflite_runtime") == ARM
    with pytest.raises(UserError, match="has ai_edge_litert"):
        images.serving(ALL, ARM64, both, "litert")


def test_a_stage_that_runs_no_model_needs_no_runtime():
    assert images.lacking(EXTRA, frozenset({"numpy"}), "litert") == []


def test_what_is_lacking_is_told_of_the_image_that_lacks_least():
    assert images.lacking(SMALL, frozenset({"torch", "tensorflow", "numpy"}), "litert") == ["tensorflow", "torch"]
    with pytest.raises(UserError) as caught:
        images.serving(ALL, AMD, frozenset({"tensorflow", "torch"}), "litert")
    assert caught.value.what == "no image for linux/amd64 has torch, which the stage imports"


@given(st.permutations(ALL), st.frozensets(st.sampled_from(["numpy", "tensorflow", "cv2", "tflite_runtime"])))
def test_the_order_of_the_images_does_not_matter(shuffled, packages):
    assert images.serving(shuffled, AMD, packages, "litert") == images.serving(ALL, AMD, packages, "litert")


def test_an_image_is_found_by_its_name_and_platform():
    assert (images.named(ALL, "small", ARM64), images.named(ALL, "small", ARMV7)) == (ARM, None)


def test_an_image_says_its_reference_and_the_stage_that_builds_it():
    image = Image("edgetpu-compiler", ARMV7, "armv7-123", frozenset(), True, "edgetpu_images")
    assert (image.reference, image.stage) == ("raspberrypi-mlops/edgetpu-compiler:armv7-123", "build_edgetpu_compiler_armv7")


# --- the definitions


def test_packages_are_those_of_the_locks_of_the_architecture(containers):
    amd, arm = images.read(containers, SOURCES, "bootstrap")
    assert amd.packages == {"numpy", "opencv_python_headless"}
    assert arm.packages == {"numpy", "pil"}


def test_a_folder_without_image_yaml_is_no_image(containers):
    assert {image.name for image in images.read(containers, SOURCES, "bootstrap")} == {"plain"}


def test_a_folder_without_images_has_none(tmp_path):
    assert images.read(tmp_path / "nowhere", SOURCES, "bootstrap") == []


def test_every_platform_of_a_shipped_image_is_built_by_a_stage_of_its_use_case():
    found = images.read(ROOT / "containers", SOURCES, "bootstrap")
    stages = {name: yamlfile.load(ROOT / "usecases" / f"{name}.yaml")["stages"] for name in {image.usecase for image in found}}
    assert found and [image.stage for image in found if image.stage not in stages[image.usecase]] == []


def test_every_shipped_target_is_served_by_an_image_with_its_runtime():
    found = images.read(ROOT / "containers", SOURCES, "bootstrap")
    for path in (ROOT / "conf" / "target").glob("*.yaml"):
        platform = yamlfile.load(path)["platform"]
        assert images.serving(found, platform, frozenset({"numpy", "PIL", "tflite_runtime"}), "tflite_runtime").name == "runtime"


# --- the tag


def test_the_same_definition_has_the_same_tag_wherever_it_stands(containers, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "containers"
    before = _tags(containers)
    containers.rename(other)
    assert _tags(other) == before
    assert [tag.rpartition("-")[0] for tag in before] == ["amd64", "armv7"]


@pytest.mark.parametrize(("name", "changes"), [
    ("plain/image.yaml", (True, True)),
    ("plain/requirements-amd64.lock", (True, False)),
    ("plain/debian-armv7.lock", (False, True)),
    ("plain/new.txt", (True, True)),
    ("plain/deep/new-armv7.lock", (False, True)),
    ("base/debian-amd64.lock", (True, False)),
    ("base/registry.txt", (True, True)),
    ("other/image.txt", (False, False)),
    ("beside.txt", (False, False)),
])  # fmt: skip
def test_a_tag_changes_with_what_goes_into_its_image_and_with_nothing_else(containers, name, changes):
    before = _tags(containers)
    path = containers / name
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + "# edited\n")
    assert tuple(old != new for old, new in zip(before, _tags(containers), strict=True)) == changes


def test_a_tag_changes_with_the_name_of_a_file(containers):
    (containers / "plain" / "a.txt").write_text("x")
    before = _tags(containers)
    (containers / "plain" / "a.txt").rename(containers / "plain" / "b.txt")
    assert not set(before) & set(_tags(containers))


@pytest.mark.parametrize(("sources", "base"), [
    ({"stages.containers.build": "1" * 64}, "bootstrap"),
    ({**SOURCES, "stages.containers._tree": "0" * 64}, "bootstrap"),
    (SOURCES, "registry"),
], ids=["a builder's source", "another builder", "how the Debian is had"])  # fmt: skip
def test_a_tag_changes_with_what_builds_the_image(containers, sources, base):
    assert not set(_tags(containers)) & set(_tags(containers, sources, base))


def test_a_tag_does_not_change_with_time_or_permissions(containers):
    before = _tags(containers)
    for path in containers.rglob("*.lock"):
        path.touch()
        path.chmod(0o600)
    assert _tags(containers) == before
