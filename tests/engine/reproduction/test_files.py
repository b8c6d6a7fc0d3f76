"""How two versions of an output differ, and whether only in what was measured."""

import json

import pytest

from engine.reproduction import files


@pytest.fixture
def versions(tmp_path):
    """Write two versions of an output: a file's text, or a folder's files."""

    def write(*texts: str | dict[str, str], suffix: str = ""):
        paths = []
        for at, text in enumerate(texts):
            path = tmp_path / f"{at}" / f"out{suffix}"
            path.parent.mkdir()
            if isinstance(text, dict):
                for name, one in text.items():
                    (path / name).parent.mkdir(parents=True, exist_ok=True)
                    (path / name).write_text(one)
            else:
                path.write_text(text)
            paths.append(path)
        return files.changes(*paths)

    return write


def test_of_a_folder_the_files_that_differ_are_named_with_their_sizes(versions):
    found = versions(
        {"same": "x", "sub/other": "old", "gone": "12"},
        {"same": "x", "sub/other": "newer", "new": ""},
    )
    assert [str(one) for one in found] == [
        "gone (2 bytes -> missing)",
        "new (missing -> 0 bytes)",
        "sub/other (3 bytes -> 5 bytes)",
    ]


def test_a_file_of_the_same_size_is_compared_by_its_bytes(versions):
    assert [str(one) for one in versions("a", "b")] == ["the file (1 byte)"]


def test_of_many_files_the_first_are_named(versions):
    found = versions({f"f{n}": "a" for n in range(7)}, {f"f{n}": "b" for n in range(7)})
    assert files.described(found).endswith("f4 (1 byte) and 2 more")


@pytest.mark.parametrize(
    ("before", "after", "is_measured"),
    [
        ({"latency_ms": 1, "n": 3}, {"latency_ms": 2.5, "n": 3}, True),
        ({"latency_ms": {"p50": 1}}, {"latency_ms": {"p50": 2}}, True),
        ({"calls_us": [1, 2]}, {"calls_us": [3]}, True),
        ({"runs": [{"took_s": 1}]}, {"runs": [{"took_s": 2}]}, True),
        ({"latency_ms": 1, "n": 3}, {"latency_ms": 2, "n": 4}, False),
        ({"latency_ms": 1}, {"latency_ms": "2"}, False),
        ({"latency_ms": 1}, {"latency_ms": 1, "more": 1}, False),
        ({"runs": [{"took_s": 1}]}, {"runs": []}, False),
        ({"size_bytes": 1}, {"size_bytes": 2}, False),
    ],
)
def test_only_numbers_of_measurements_may_differ(versions, before, after, is_measured):
    [found] = versions(json.dumps(before), json.dumps(after), suffix=".json")
    assert found.is_measured is is_measured


def test_lines_of_json_are_compared_one_by_one(versions):
    [found] = versions('{"a_ms": 1}\n{"a_ms": 2}\n', '{"a_ms": 3}\n{"a_ms": 4}\n', suffix=".jsonl")
    assert found.is_measured


@pytest.mark.parametrize("suffix", [".json", ".txt"])
def test_what_is_not_json_is_no_measurement(versions, suffix):
    [found] = versions("took_s: 1", "took_s: 2", suffix=suffix)
    assert not found.is_measured
