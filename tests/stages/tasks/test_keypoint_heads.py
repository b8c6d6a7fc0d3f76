"""MoveNet's heads, decoded in numpy: the most central person, and a joint near the place it predicts."""

import os
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks.keypoints import heads
from tests.stages.tasks import tails

SIDE = 48
MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))
MOVENET = MIRROR / "models/movenet_single_pose_lightning_ptq.tflite"
STEP = 0.0042  # of the published model's output
CELL = 1 / SIDE


def _empty():
    return {
        name: np.zeros((SIDE, SIDE, channels), np.float32)
        for name, channels in heads.CHANNELS.items()
    }


def _with_person(found, centre, joints, score=0.9):
    """Add a person: its centre in cells, and each joint (17, 2) in cells with its fraction."""
    found[heads.CENTRE][centre] = score
    found[heads.REGRESSION][centre] = (np.floor(joints) - centre).ravel()
    for at, (y, x) in enumerate(joints):
        cell = int(y), int(x)
        found[heads.HEATMAP][(*cell, at)] = score
        found[heads.OFFSET][cell][2 * at : 2 * at + 2] = y % 1, x % 1
    return found


def _joints(seed=0):
    return np.random.default_rng(seed).uniform(2, SIDE - 2, (heads.JOINTS, 2))


def test_a_joint_is_its_cell_plus_its_offset():
    joints = _joints()
    found = heads.decode(_with_person(_empty(), (24, 20), joints))
    np.testing.assert_allclose(found[:, :2], joints / SIDE, atol=1e-6)
    np.testing.assert_allclose(found[:, 2], 0.9)


def test_of_two_people_the_more_central_one_is_found():
    ours, theirs = _joints(0), _joints(1)
    both = _with_person(_with_person(_empty(), (2, 3), theirs), (25, 24), ours)
    np.testing.assert_allclose(heads.decode(both)[:, :2], ours / SIDE, atol=1e-6)


def test_a_higher_score_far_from_the_predicted_place_is_another_person():
    found = _with_person(_empty(), (24, 24), _joints(), score=0.5)
    near = heads.decode(found)[0]
    y, x = np.int64(near[:2] * SIDE)
    found[heads.HEATMAP][SIDE - 1 - y, SIDE - 1 - x, 0] = 0.9
    np.testing.assert_array_equal(heads.decode(found)[0], near)


def test_a_batch_of_one_is_the_same():
    found = _with_person(_empty(), (24, 24), _joints())
    batch = {name: one[None] for name, one in found.items()}
    np.testing.assert_array_equal(heads.decode(batch), heads.decode(found))


def test_keypoints_are_in_the_pixels_of_the_frame():
    found = _with_person(_empty(), (24, 24), _joints())
    y, x, score = heads.decode(found).T
    expected = np.stack([x * 640, y * 360, score], axis=1)
    np.testing.assert_allclose(heads.keypoints(found, (360, 640)), expected, rtol=1e-6)


def test_a_joint_beyond_the_picture_is_on_its_border():
    found = _with_person(_empty(), (24, 24), _joints())
    y, x = np.int64(heads.decode(found)[3, :2] * SIDE)
    found[heads.OFFSET][y, x, 6:8] = -SIDE
    np.testing.assert_array_equal(heads.decode(found)[3, :2], 0)


@pytest.mark.parametrize("name", heads.CHANNELS)
def test_outputs_that_are_no_heads_are_named(name):
    other = _empty()
    other[name] = other[name][:, :, :0]
    with pytest.raises(StageError, match=rf"{name} \(48, 48, 0\)"):
        heads.decode(other)
    del other[name]
    assert not heads.are_heads(other)
    with pytest.raises(StageError, match="not the heads of MoveNet"):
        heads.decode(other)


@pytest.fixture(scope="module")
def published():
    """The file's operators, and where its heads are among them."""
    from stages.tflite.schema import read_model

    graph = read_model(MOVENET).subgraphs[0]
    ends = {}  # a head's scope in the tensor's name -> the last tensor that has it
    for operator in graph.operators:
        (place, *_) = operator.outputs
        scope = graph.tensors[place].name.partition("/")[0]
        if operator.type == "LOGISTIC":  # the name of a sigmoid says nothing
            scope = graph.tensors[operator.inputs[0]].name.partition("/")[0]
        if scope in heads.CHANNELS:
            ends[scope] = place
    return graph, ends


@pytest.fixture(scope="module")
def seen(published):
    """Noisy heads of twelve people, in the numbers that the file's tensors can represent."""
    graph, ends = published
    random = np.random.default_rng(0)
    found = []
    for seed in range(12):
        person = _with_person(_empty(), (20 + seed % 8, 22), _joints(seed))
        person[heads.HEATMAP] += random.uniform(0, 0.1, person[heads.HEATMAP].shape)
        values = {
            place: tails.rounded(person[name], graph.tensors[place])[None]
            for name, place in ends.items()
        }
        found.append(values)
    return found


@pytest.mark.mirror
@pytest.mark.skipif(not MOVENET.is_file(), reason="RPI_MLOPS_MIRROR names no folder with MoveNet")
def test_it_computes_what_the_published_operators_compute(published, seen):
    graph, ends = published
    differences = []
    for values in seen:
        expected = tails.run(graph, values, rounds=False)[0, 0]
        named = {name: values[place] for name, place in ends.items()}
        differences.append(np.abs(heads.decode(named) - expected).max(axis=1))
    # The file's grid of distances is itself rounded: rarely, another of two equal cells is chosen.
    assert (np.array(differences) < 1e-4).mean() > 0.95


@pytest.mark.mirror
@pytest.mark.skipif(not MOVENET.is_file(), reason="RPI_MLOPS_MIRROR names no folder with MoveNet")
def test_it_is_as_near_as_the_rounding_of_the_published_operators_permits(published, seen):
    graph, ends = published
    differences = []
    for values in seen:
        rounded = tails.run(graph, values, rounds=True)[0, 0]
        named = {name: values[place] for name, place in ends.items()}
        differences.append(np.abs(heads.decode(named)[:, :2] - rounded[:, :2]).max(axis=1))
    assert np.median(differences) < 2 * STEP
    assert (np.array(differences) < CELL).mean() > 0.9
