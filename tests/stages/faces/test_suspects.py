"""Pictures that may show somebody else: far from the other pictures of the same person."""

import numpy as np

from stages.faces import _suspects


def _found(*angles, people=None):
    radians = np.radians(angles)
    embeddings = np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)
    owners = np.zeros(len(angles), np.int64) if people is None else np.int64(people)
    return _suspects.find(embeddings, owners, [f"{at}.jpg" for at in range(len(angles))])


def test_a_face_unlike_the_others_of_its_person_is_found():
    assert _found(0, 2, 4, 6, 80) == ["4.jpg"]


def test_nobody_is_suspected_for_small_differences():
    assert _found(0, 1, 2, 3, 9) == []


def test_a_face_is_no_suspect_if_it_is_more_like_its_person_than_strangers_are():
    people = [0] * 5 + [1] * 4
    assert _found(0, 2, 4, 6, 30, 100, 102, 104, 106, people=people) == []
    assert _found(0, 2, 4, 6, 96, 100, 102, 104, 106, people=people) == ["4.jpg"]


def test_with_three_faces_the_odd_one_is_unknown():
    assert _found(0, 2, 80) == []


def test_people_are_compared_with_themselves_only():
    assert _found(0, 2, 4, 6, 80, 82, 84, 86, people=[0] * 4 + [1] * 4) == []


def test_the_note_names_the_pictures(monkeypatch):
    said = []
    monkeypatch.setattr(_suspects, "note", said.append)
    _suspects.tell([])
    _suspects.tell(["a.jpg", "b.jpg"])
    assert len(said) == 1 and said[0].startswith("2 pictures are") and "a.jpg, b.jpg" in said[0]
