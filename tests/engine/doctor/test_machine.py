"""What `doctor` reports about the machine itself."""

from engine import gpus
from engine.doctor import machine


def test_a_raspberry_pi_says_which_it_is(tmp_path):
    (tmp_path / "device-tree").mkdir()
    (tmp_path / "device-tree" / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    (tmp_path / "meminfo").write_text("MemTotal:        8245312 kB\nMemFree:          100 kB\n")
    assert machine.python(tmp_path)[0].what.endswith(
        " processors, 8.4 GB of memory, Raspberry Pi 5 Model B Rev 1.0"
    )


def test_a_machine_without_proc_says_less(tmp_path):
    assert machine.python(tmp_path)[0].what.endswith(" processors")


def test_what_a_machine_cannot_have_is_not_missing():
    def names(processor, version):
        return " ".join(found.what for found in machine.packages(processor, version))

    assert "ai-edge-litert" in names("aarch64", (3, 11)) and "ai-edge-litert" not in names(
        "armv7l", (3, 11)
    )
    assert "tflite-runtime" in names("aarch64", (3, 11)) and "tflite-runtime" not in names(
        "aarch64", (3, 12)
    )


def test_a_package_that_is_missing_comes_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(machine._EXTRAS, "train", ("no-such-package",))
    found = next(one for one in machine.packages() if one.what == "no-such-package")
    assert (found.is_there, found.fix) == (False, "uv sync --extra train")


def test_room_is_measured_where_the_outputs_will_be(tmp_path):
    assert machine.disk(tmp_path / "not" / "yet")[0].what.endswith(
        f" GB free for {tmp_path / 'not' / 'yet'}"
    )


def test_the_gpus_of_a_machine_are_listed_with_how_to_ask_for_them(tmp_path, monkeypatch):
    monkeypatch.setattr(gpus, "FOLDER", tmp_path)
    assert machine.gpus() == []
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0" / "information").write_text("Model: \t NVIDIA T4\n")
    [found] = machine.gpus()
    assert found.is_there and found.what == "NVIDIA T4 (stages get it with resources: {gpu: 1})"
