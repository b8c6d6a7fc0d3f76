"""A network that is rebuilt from its files gives the outputs of the original."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="the extra 'train' is not installed")

ROOT = Path(__file__).resolve().parents[3]
NETWORKS = ("nested", "two_outputs", "sequential", "shared", "odd_names", "normalised")
FORMS = ("parts", "keras", "h5")


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory):
    """Rebuild all networks in another process, and return what it printed."""
    done = subprocess.run(
        [
            sys.executable,
            Path(__file__).with_name("rebuilding.py"),
            tmp_path_factory.mktemp("nets"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_outputs_are_those_of_the_original(rebuilt, network, form):
    assert rebuilt[f"{network} {form}"]["difference"] < 1e-5


@pytest.mark.parametrize("form", FORMS)
def test_the_names_of_the_outputs_are_kept_in_order(rebuilt, form):
    assert rebuilt[f"two_outputs {form}"]["outputs"] == ["boxes", "scores"]


def test_rescaling_becomes_a_convolution_and_dropout_goes(rebuilt):
    layers = rebuilt["nested parts"]["layers"]
    assert "DepthwiseConv2D" in layers
    assert not {"Rescaling", "Dropout", "Functional"} & set(layers)
    assert "Normalization" not in rebuilt["normalised parts"]["layers"]


def test_a_network_whose_pixels_are_scaled_before_it_scales_them_itself(rebuilt):
    assert rebuilt["scaled"] < 1e-3


def test_weights_of_another_architecture_are_refused_with_the_layers_name(rebuilt):
    assert "'conv2d" in rebuilt["other weights"]
    assert "save architecture and weights again" in rebuilt["other weights"]


def test_normalisation_along_other_axes_than_the_channels_is_refused(rebuilt):
    assert rebuilt["other axis"] == (
        "the layer 'rows' (Normalization) normalises along the axis 1: use axis=-1, for the channels"
    )


def test_a_layer_that_fails_over_its_settings_is_named(rebuilt):
    assert rebuilt["other settings"].startswith(
        "the layer 'wrapped' (SpectralNormalization) has a setting that Keras 2.15 does not know"
    )


def test_the_layer_with_the_most_weights_and_output_is_first(rebuilt):
    rows = rebuilt["nested parts"]["largest"]
    needs = [row["weights_bytes"] + row["output_bytes"] for row in rows]
    assert needs == sorted(needs, reverse=True)
    assert rows[0]["operator"] == "Conv2D"
