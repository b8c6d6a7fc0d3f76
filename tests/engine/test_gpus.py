"""The GPUs of a machine, as NVIDIA's driver describes them in /proc, and which stage gets which."""

import pytest

from engine import gpus
from engine.errors import UserError
from engine.gpus import Gpu, Pool

UUIDS = [f"GPU-{n}5d8e1a2-0000-1111-2222-333344445555" for n in range(3)]
FACTS = "Model: \t\t NVIDIA {model}\nIRQ:   \t\t 62\nGPU UUID: \t {uuid}\nBus Type: \t PCIe\n"


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Let the driver describe these GPUs."""
    monkeypatch.delenv(gpus.VARIABLE, raising=False)
    monkeypatch.setattr(gpus, "FOLDER", tmp_path)

    def describe(*uuids: str, model: str = "H200"):
        for at, uuid in enumerate(uuids):
            folder = tmp_path / f"0000:{at:02x}:00.0"
            folder.mkdir()
            (folder / "information").write_text(FACTS.format(model=model, uuid=uuid))

    return describe


def test_a_machine_without_the_driver_has_none(driver):
    assert gpus.here() == []


def test_each_gpu_has_its_uuid_and_its_model(driver):
    driver(*UUIDS[:2])
    assert gpus.here() == [Gpu(UUIDS[0], "NVIDIA H200"), Gpu(UUIDS[1], "NVIDIA H200")]


def test_a_gpu_without_a_uuid_has_its_number(driver):
    driver("GPU-????????", UUIDS[1])
    assert [gpu.id for gpu in gpus.here()] == ["0", UUIDS[1]]


@pytest.mark.parametrize(
    ("value", "numbers"),
    [("0,2", [0, 2]), (UUIDS[1], [1]), ("", []), ("-1", []), ("0, 1", [0, 1]), ("7", [])],
)
def test_a_caller_may_use_only_those_that_it_sees(driver, value, numbers):
    driver(*UUIDS)
    found = [gpu.id for gpu in gpus.here({gpus.VARIABLE: value})]
    assert found == [UUIDS[number] for number in numbers]


def test_too_few_are_refused_with_where_was_looked_and_what_to_write(driver, tmp_path):
    with pytest.raises(UserError) as caught:
        gpus.refuse(1)
    assert caught.value.where == "resources.gpu"
    assert "needs 1 GPU" in caught.value.what and str(tmp_path) in caught.value.what
    assert caught.value.fix.startswith("write gpu: 0 to use the CPU")
    driver(*UUIDS)
    gpus.refuse(3)


def test_those_that_the_caller_leaves_out_are_counted(driver, monkeypatch):
    driver(*UUIDS)
    monkeypatch.setenv(gpus.VARIABLE, "0")
    with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES=0 leaves out 2"):
        gpus.refuse(2)


@pytest.mark.parametrize("platform", ["linux/arm64", "linux/arm/v7"])
def test_only_a_pc_has_gpus(platform):
    with pytest.raises(UserError, match="runs_on: build"):
        gpus.refuse_platform(platform)


def test_only_a_stage_that_asks_for_a_gpu_depends_on_its_model(driver):
    driver(UUIDS[0])
    assert gpus.counted(0) == {}
    assert gpus.counted(1) == {"gpu": "1 of NVIDIA H200"}


def test_stages_at_the_same_time_get_different_gpus(driver):
    driver(*UUIDS)
    pool = Pool()
    assert pool.take("a", 1) == (UUIDS[0],)
    assert pool.take("b", 2) == (UUIDS[1], UUIDS[2])
    assert pool.take("c", 0) == ()
    pool.give_back("a"), pool.give_back("c")
    assert pool.take("d", 1) == (UUIDS[0],)
