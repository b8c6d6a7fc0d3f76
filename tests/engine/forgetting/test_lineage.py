"""What was computed from an artifact, in an order in which it can be removed."""

from engine.forgetting.lineage import derived
from engine.store import Record


def job(name: str, inputs: dict[str, str], **outputs: str) -> Record:
    return Record(name, name, {"input": inputs}, outputs)


FACES = job("faces", {"pictures": "tree:pictures"}, train="faces")
GALLERY = job("gallery", {"train": "faces", "model": "net"}, gallery="gallery")
SCORE = job("score", {"gallery": "gallery"}, report="report")
NET = job("net", {}, model="net")
CHAIN = [SCORE, NET, GALLERY, FACES]


def test_everything_after_a_root_is_found_and_nothing_before_or_beside_it():
    found = derived(CHAIN, {"gallery"})
    assert found.digests == {"gallery", "report"}
    assert [one.stage for one in found.records] == ["gallery", "score"]


def test_a_job_comes_after_those_whose_outputs_it_reads():
    assert [one.stage for one in derived(CHAIN, {"faces"}).records] == ["faces", "gallery", "score"]


def test_what_is_made_in_the_same_way_without_the_root_is_not_derived():
    unpack = job("unpack", {"packed": "report"}, models="net", people="people")
    found = derived([*CHAIN, unpack], {"faces"})
    assert found.digests == {"faces", "gallery", "report", "people"}


def test_what_is_kept_is_not_derived_and_leads_to_nothing():
    found = derived(CHAIN, {"faces"}, {"gallery"})
    assert found.digests == {"faces"} and [one.stage for one in found.records] == [
        "faces",
        "gallery",
    ]


def test_without_roots_there_is_nothing():
    assert derived(CHAIN, ()).digests == frozenset() and derived(CHAIN, ()).records == ()
