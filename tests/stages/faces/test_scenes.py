"""Drawn scenes: the same for the same arguments, and without a black border."""

import numpy as np

from stages.faces import _scenes


def test_a_scene_depends_only_on_its_arguments():
    scenes = [_scenes.scene(*of) for of in ((0, 96, 1), (0, 96, 1), (1, 96, 1), (0, 96, 2))]
    assert scenes[0].shape == (96, 96, 3) and scenes[0].dtype == np.uint8
    np.testing.assert_array_equal(scenes[0], scenes[1])
    assert not np.array_equal(scenes[0], scenes[2]) and not np.array_equal(scenes[0], scenes[3])


def test_no_side_of_a_scene_is_black():
    for number in range(12):
        scene = _scenes.scene(number, 64, 0)
        assert min(side.mean() for side in (scene[0], scene[-1], scene[:, 0], scene[:, -1])) > 8
