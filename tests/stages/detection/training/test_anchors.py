"""Anchors: those of the COCO detector, and shapes fitted to boxes."""

import os
from pathlib import Path

import numpy as np
import pytest

from stages.detection.training import _anchors

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))
SSD = MIRROR / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
COCO_SIDES = (19, 10, 5, 3, 2, 1)


@pytest.mark.mirror
@pytest.mark.skipif(not SSD.is_file(), reason="RPI_MLOPS_MIRROR names no folder with the COCO SSD")
def test_the_anchors_are_those_in_the_published_file_before_their_quantisation():
    from stages.tflite.schema import read_model
    from stages.training import tflite_weights

    graph = read_model(SSD).subgraphs[0]
    place = graph.operators[-1].inputs[2]
    published = tflite_weights.constant(graph, place)
    found = _anchors.anchors(COCO_SIDES, _anchors.coco_shapes())
    assert np.abs(found - published).max() < 0.51 * graph.tensors[place].scales[0]


def test_anchors_are_ordered_by_rows_and_then_by_shape():
    shapes = [np.float32([[0.1, 0.2], [0.3, 0.4]])]
    found = _anchors.anchors([2], shapes)
    np.testing.assert_allclose(found[:3], [[0.25, 0.25, 0.1, 0.2], [0.25, 0.25, 0.3, 0.4], [0.25, 0.75, 0.1, 0.2]])  # fmt: skip


def test_fitted_shapes_find_the_clusters_of_the_boxes():
    chance = np.random.default_rng(0)
    centres = np.float32([[0.1, 0.1], [0.2, 0.5], [0.6, 0.6]])
    sizes = np.concatenate([one + chance.normal(0, 0.01, (50, 2)) for one in centres])
    np.testing.assert_allclose(_anchors.fitted(sizes, 3), centres, atol=0.01)


def test_shapes_are_fitted_to_fewer_boxes_than_shapes():
    assert _anchors.fitted(np.float32([[0.2, 0.3]]), 4).shape == (4, 2)


def test_the_finest_map_gets_the_smallest_shapes():
    sizes = np.random.default_rng(0).uniform(0.05, 0.9, (100, 2)).astype(np.float32)
    shapes = _anchors.spread(sizes, (3, 3, 3))
    areas = [of_map.prod(1).mean() for of_map in shapes]
    assert [len(of_map) for of_map in shapes] == [3, 3, 3]
    assert areas == sorted(areas)


def test_boxes_that_coco_covers_add_no_shape():
    shapes = _anchors.coco_shapes()
    sizes = np.concatenate(shapes)
    assert [len(one) for one in _anchors.extended(shapes, sizes)] == [3, 6, 6, 6, 6, 6]


def test_boxes_of_an_unusual_form_add_shapes_to_the_most_similar_map():
    shapes = _anchors.coco_shapes()
    sizes = np.tile(np.float32([[0.02, 0.03]]), (20, 1))
    assert [len(one) for one in _anchors.extended(shapes, sizes)] == [6, 6, 6, 6, 6, 6]
