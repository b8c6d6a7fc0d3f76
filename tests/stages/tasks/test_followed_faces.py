"""The name of a face in a clip: decided by its last frames together."""

import numpy as np

from stages.tasks.followed_faces import FollowedFaces
from tests.stages.tasks.scenes import box

ANN, BOB, NOBODY = np.float32([0.9, 0.1]), np.float32([0.1, 0.9]), np.float32([0.2, 0.1])
HERE, THERE = box(50, 50), box(300, 50)


def _names(frames, threshold=0.5, fps=20):
    """Return the names by id of each frame; frames: lists of boxes and similarities."""
    followed, names = FollowedFaces(), []
    for at, frame in enumerate(frames):
        boxes = np.array([place for place, _ in frame]).reshape(-1, 4)
        found = followed.named(boxes, [similar for _, similar in frame], threshold, at / fps)
        names.append({one.id: _name(one) for one in found})
    return names


def _name(one):
    best = int(one.similar.argmax())
    return ("ann", "bob")[best] if one.similar[best] >= one.threshold else "unknown"


def test_one_frame_that_shows_somebody_else_changes_no_name():
    frames = [[(HERE, ANN)]] * 5
    for other in (BOB, NOBODY):
        assert _names([*frames, [(HERE, other)], *frames]) == [{1: "ann"}] * 11


def test_two_faces_are_named_independently():
    assert _names([[(HERE, ANN), (THERE, BOB)], [(THERE, BOB), (HERE, ANN)]]) == [
        {1: "ann", 2: "bob"},
        {2: "bob", 1: "ann"},
    ]


def test_another_face_at_the_same_place_is_named_within_half_a_second():
    names = _names([[(HERE, ANN)]] * 20 + [[(HERE, NOBODY)]] * 10)
    assert names[-1] == {1: "unknown"}


def test_a_similarity_around_the_threshold_does_not_flicker():
    near = [[(HERE, np.float32([0.49 if at % 3 else 0.52, 0.1]))] for at in range(30)]
    assert _names(near) == [{1: "ann"}] * 30
    assert _names([[(HERE, np.float32([0.49, 0.1]))]] * 5) == [{1: "unknown"}] * 5


def test_who_left_for_more_than_a_second_is_named_anew():
    names = _names([[(HERE, ANN)], *[[]] * 30, [(HERE, BOB)]])
    assert (names[0], names[-1]) == ({1: "ann"}, {2: "bob"})


def test_forgotten_faces_need_no_memory():
    followed = FollowedFaces()
    for at in range(50):
        followed.named(np.array([box(100 * (at % 9), 50)]), [ANN], 0.5, float(at))
    assert len(followed._similar) < 12 and len(followed._have_names) < 12
