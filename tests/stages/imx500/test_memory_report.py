"""The converter's memory report and messages, as it wrote them, become figures and sentences."""

import json
from pathlib import Path

import pytest

from engine.stage import StageError
from stages.imx500 import _memory_report

FITS = Path(__file__).parent / "made_by_sony" / "fits.json"  # of MobileNetV2 1.0 with 10 classes
# what imxconv-tf 3.19.2 printed for a network with this layer
UNSUPPORTED = (
    "2026-11-30 20:30:01,000 ERROR : CODE: [USOP] The network contains unsupported ops: "
    "keras.src.layers.normalization.unit_normalization.UnitNormalization "
    "[/uni/common/logger.py:179]\n"
)
LAYERS = [
    {"name": "conv", "operator": "Conv2D", "weights_bytes": 900_000, "output_bytes": 100},
    {"name": "unit", "operator": "UnitNormalization", "weights_bytes": 0, "output_bytes": 100},
]


def test_the_report_is_read_in_bytes():
    assert _memory_report.read(FITS) == {
        "fits": True,
        "memory_bytes": 5813760,
        "available_bytes": 8388480,
        "memory_used_share": pytest.approx(0.693, abs=1e-3),
        "weights_bytes": 2402784,
        "activations_bytes": 3409952,
        "reserved_bytes": 1024,
        "input_persistency_bytes": 154624,
    }


@pytest.mark.parametrize(
    ("text", "size"), [("1746208B", 1746208), ("151.00KB", 154624), ("8.00MB", 8 << 20)]
)
def test_a_size_is_read_in_any_unit(text, size):
    assert _memory_report.size_bytes(text) == size


@pytest.mark.parametrize("found", [{"Fit In Chip": True}, {"Memory Usage": 5}, []])
def test_a_damaged_report_is_refused(tmp_path, found):
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"Memory Report": found}))
    with pytest.raises(StageError, match="not a memory report"):
        _memory_report.read(path)


def test_an_operator_without_support_is_named_with_its_layer_and_a_replacement():
    refused = _memory_report.unsupported(UNSUPPORTED, LAYERS)
    assert [(one["layer"], one["operator"]) for one in refused] == [("unit", "UnitNormalization")]
    assert "UnitNormalization in the layer 'unit'" in _memory_report.said(refused)
    assert "on the processor" in _memory_report.said(refused)


def test_a_log_without_refusals_has_none():
    assert _memory_report.unsupported("INFO : Converted successfully\n", LAYERS) == []


TOO_MUCH = {
    "measured": True,
    "fits": False,
    "role": "model",
    "weights_bytes": 5,
    "activations_bytes": 5,
    "input_persistency_bytes": 0,
}


@pytest.mark.parametrize(
    ("larger", "first"), [("weights", "weights"), ("activations", "activations")]
)
def test_the_first_advice_is_about_what_needs_most(larger, first):
    report = {**TOO_MUCH, f"{larger}_bytes": 9}
    assert _memory_report.advice(report)[0].startswith(f"reduce the {first}")


def test_a_network_that_fits_gets_no_advice():
    assert _memory_report.advice({**TOO_MUCH, "fits": True, "input_persistency_bytes": 9}) == []


def test_the_copy_of_the_input_is_advised_to_go_only_if_there_is_one():
    with_copy = _memory_report.advice({**TOO_MUCH, "input_persistency_bytes": 9})
    without = _memory_report.advice(TOO_MUCH)
    assert any("camera_memory.params.input_persistency=false" in one for one in with_copy)
    assert not any("input_persistency" in one for one in without)


def test_advice_for_a_file_names_no_parameter_of_a_run():
    found = _memory_report.advice({**TOO_MUCH, "role": None, "input_persistency_bytes": 9})
    assert len(found) == 2
    assert not any("params" in one or "persistency" in one for one in found)


def test_the_largest_layers_are_named_with_their_bytes():
    assert "'conv' (Conv2D: 879 kB of weights, 0 kB of output)" in _memory_report.largest_said(
        LAYERS
    )


# what imxconv-tf 3.19.2 printed, with exit status 1 and without a report
TOO_LARGE = (
    "2026-11-30 20:48:25.367 ERROR: CODE: [ISM] ConvFe error (ISM) on 'roo': Not enough memory, "
    "available: 8.00MB , required: 8.97MB \n"
)


def test_a_network_that_does_not_fit_has_figures_although_there_is_no_report():
    found = _memory_report.too_large(TOO_LARGE, LAYERS)
    assert (found["fits"], found["weights_bytes"]) == (False, 900_000)
    assert found["memory_used_share"] == pytest.approx(8.97 / 8, abs=1e-3)
    assert found["memory_bytes"] == found["weights_bytes"] + found["activations_bytes"]


def test_another_failure_says_nothing_about_the_memory():
    assert _memory_report.too_large(UNSUPPORTED, LAYERS) is None
