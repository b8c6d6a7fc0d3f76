"""Both face networks in one: each sees the face as it does alone."""

import numpy as np
import pytest

from stages.faces import _fused, _mobilenet, _resnet, _weights
from tests.stages.faces import published

pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")


def test_both_embeddings_are_side_by_side(tmp_path):
    dlib = _weights.read(published.resnet(tmp_path))
    weights = published.mobilenet() | dlib
    assert weights.keys() >= _fused.NAMES
    face = np.random.default_rng(1).uniform(0, 255, (1, 188, 188, 3)).astype(np.float32)
    embedding = np.asarray(_fused.build(weights)(face))
    assert embedding.shape == (1, 1152)
    left, top = (_fused.INPUT.points - _resnet.INPUT.points).mean(0).round().astype(int)
    middle = face[:, top : top + 150, left : left + 150]
    alone = np.asarray(_resnet.build(dlib)(middle))
    np.testing.assert_allclose(embedding[:, 1024:], alone * _fused.FACTOR, rtol=1e-3, atol=1e-3)
    assert embedding[:, :1024].any()


def test_dlibs_face_lies_in_the_middle_of_the_picture():
    shift = _fused.INPUT.points - _resnet.INPUT.points
    np.testing.assert_allclose(
        shift, np.broadcast_to(shift[0], (4, 2)), atol=0.01
    )  # the same scale
    assert (shift >= 0).all() and (shift <= 188 - 150).all()
    assert _fused.INPUT.scale == pytest.approx(_mobilenet.INPUT.scale, abs=0.01)
