"""Where an artifact has names of people."""

import json

from stages.faces._names import named, normal


def test_letters_that_are_composed_differently_and_spaces_around_do_not_count():
    assert normal(" Zoe\u0308 ") == normal("Zo\u00eb") == "Zo\u00eb"


def test_a_folder_of_people_has_only_folders_with_pictures(tmp_path):
    for name in ("ann/1.png", "bob/sub/1.jpg", ".DS_Store"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert named(tmp_path) == {"ann", "bob"}
    (tmp_path / "notes.txt").touch()
    assert named(tmp_path) == set()


def test_the_people_of_parts_within_a_part_count(tmp_path):
    (tmp_path / "validation").mkdir()
    truth = {"labels": ["cy"], "names": ["drawn 0", "ann/sub/1.png"]}
    (tmp_path / "validation/truth.json").write_text(json.dumps(truth))
    (tmp_path / "labels.txt").write_text("bob\n")
    assert named(tmp_path) == {"ann", "bob", "cy"}


def test_other_data_has_no_people(tmp_path):
    (tmp_path / "model").write_bytes(b"\xff\x00ann")
    assert named(tmp_path / "model") == set()
    (tmp_path / "model").write_text(json.dumps({"answers": {"rows": "ann"}}))
    assert named(tmp_path / "model") == set()
