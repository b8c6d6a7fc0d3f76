"""The scan: which records affect which versions, what is counted, and invalid files."""

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from engine.stage import StageError
from stages.containers.sbom import sbom
from stages.containers.scan import scan
from tests import archives

SITE = "usr/local/lib/python3.11/dist-packages"
CRITICAL = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
HIGH = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}]


def _record(
    name: str, package: str, events: list[dict[str, str]], ecosystem: str = "PyPI", **more: Any
) -> dict[str, Any]:
    affected = {
        "package": {"ecosystem": ecosystem, "name": package},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {"id": name, "summary": f"about {name}", "affected": [affected], **more}


@pytest.fixture
def bill(tmp_path) -> Path:
    """The bill of an image with numpy 1.26.4 and Debian's zlib1g, of the source package zlib."""
    status = (
        b"Package: zlib1g\nStatus: install ok installed\nArchitecture: arm64\nSource: "
        b"zlib\nVersion: 1:1.2.13.dfsg-1\n"
    )
    files = {
        "etc/os-release": b"ID=debian\nVERSION_ID=12\n",
        "var/lib/dpkg/status": status,
        f"{SITE}/n.dist-info/METADATA": b"Name: NumPy\nVersion: 1.26.4\n",
    }
    sbom(archives.write(tmp_path / "image.tar", [archives.layer(files)]), tmp_path / "bill.json")
    return tmp_path / "bill.json"


@pytest.fixture
def check(bill, tmp_path):
    """Check the bill against these records; return metrics and report."""

    def checked(records: Any, **params: Any):
        path = tmp_path / "records"
        path.write_text(json.dumps(records))
        metrics = scan(bill, tmp_path / "report.json", path, **params)
        return metrics, json.loads((tmp_path / "report.json").read_text())

    return checked


@pytest.mark.parametrize(
    ("events", "concerns"),
    [
        ([{"introduced": "0"}], True),
        ([{"introduced": "0"}, {"fixed": "1.26.4"}], False),
        ([{"introduced": "0"}, {"fixed": "1.26.5"}], True),
        ([{"introduced": "1.26.4"}, {"fixed": "2"}], True),
        ([{"introduced": "1.26.5"}], False),
        ([{"introduced": "0"}, {"last_affected": "1.26.4"}], True),
        ([{"introduced": "0"}, {"last_affected": "1.26.3"}], False),
        (
            [{"introduced": "0"}, {"fixed": "1.20"}, {"introduced": "1.26"}, {"fixed": "1.26.10"}],
            True,
        ),
        (
            [{"fixed": "1.26.10"}, {"introduced": "1.26"}, {"fixed": "1.20"}, {"introduced": "0"}],
            True,
        ),
        ([{"introduced": "0"}, {"fixed": "1.20"}, {"introduced": "2.0"}, {"fixed": "2.1"}], False),
        ([{"introduced": "0"}, {"fixed": "1.26.4rc1"}], False),
        ([{"introduced": "0"}, {"fixed": "1.26.4.post1"}], True),
        ([{"introduced": "0"}, {"limit": "*"}], True),
        ([], False),
    ],
)
def test_a_range_is_read_as_osvs_schema_says(check, events, concerns):
    metrics, report = check([_record("PYSEC-1", "numpy", events)])
    assert (metrics["other"], len(report["findings"])) == (concerns, concerns)


def test_a_listed_version_is_concerned_whatever_the_ranges_say(check):
    record = _record("PYSEC-1", "Num.Py", [{"introduced": "9"}])
    record["affected"][0]["package"]["name"] = "NumPy"
    record["affected"][0]["versions"] = ["1.26.4"]
    assert check([record])[0]["other"] == 1


@pytest.mark.parametrize(
    ("ecosystem", "package", "fixed", "concerns"),
    [
        ("Debian:12", "zlib", "1:1.2.13.dfsg-1+deb12u1", True),
        ("Debian:12", "zlib", "1:1.2.13.dfsg-1", False),
        ("Debian:12", "zlib", "1:1.2.13.dfsg-1~bpo11+1", False),
        ("Debian", "zlib", "1:1.3", True),
        ("Debian:11", "zlib", "1:1.3", False),
        ("Debian:12", "zlib1g", "1:1.3", False),
        ("Alpine:v3.18", "zlib", "1:1.3", False),
        ("PyPI", "zlib", "9", False),
    ],
)
def test_debians_are_found_by_source_package_and_release(
    check, ecosystem, package, fixed, concerns
):
    metrics, _ = check(
        [_record("DEBIAN-CVE-1", package, [{"introduced": "0"}, {"fixed": fixed}], ecosystem)]
    )
    assert metrics["other"] == concerns


def test_findings_are_counted_by_severity_and_told_gravest_first(check):
    everything = [{"introduced": "0"}]
    records = [
        _record("C", "numpy", everything, database_specific={"severity": "LOW"}),
        _record("B", "numpy", everything, severity=HIGH),
        _record(
            "A", "zlib", [{"introduced": "0"}, {"fixed": "2:0"}], "Debian:12", severity=CRITICAL
        ),
        _record("D", "pandas", everything, severity=CRITICAL),
    ]
    metrics, report = check(records)
    assert metrics == {
        "scanned": 2,
        "records": 4,
        "critical": 1,
        "high": 1,
        "other": 1,
        "accepted": 0,
        "fixable": 1,
    }
    assert [(each["names"], each["severity"], each["fixed_in"]) for each in report["findings"]] == [
        (["A"], "critical", ["2:0"]),
        (["B"], "high", []),
        (["C"], "low", []),
    ]
    assert (
        report["findings"][0]["component"].startswith("pkg:deb/debian/zlib1g@")
        and report["findings"][0]["summary"] == "about A"
    )


def test_one_vulnerability_under_several_names_is_counted_once_by_the_worst(check):
    everything = [{"introduced": "0"}]
    records = [
        _record("PYSEC-1", "numpy", everything, aliases=["CVE-1"]),
        _record("OTHER", "numpy", everything, upstream=["CVE-2"]),
        _record("GHSA-1", "numpy", everything, aliases=["CVE-1", "CVE-2"], severity=CRITICAL),
    ]
    metrics, report = check(records)
    assert (metrics["critical"], metrics["other"]) == (1, 0)
    assert report["findings"][0]["names"] == ["CVE-1", "CVE-2", "GHSA-1", "OTHER", "PYSEC-1"]


def test_what_is_accepted_is_listed_and_not_counted(check):
    records = [
        _record("GHSA-1", "numpy", [{"introduced": "0"}], aliases=["CVE-1"], severity=CRITICAL)
    ]
    metrics, report = check(records, accepted=["CVE-1"])
    assert (metrics["critical"], metrics["accepted"]) == (0, 1) and report["findings"][0][
        "accepted"
    ]


def test_what_was_withdrawn_says_nothing(check):
    assert (
        check([_record("X", "numpy", [{"introduced": "0"}], withdrawn="2024-01-01T00:00:00Z")])[1][
            "findings"
        ]
        == []
    )


def test_ranges_of_git_are_left_out(check):
    record = _record("X", "numpy", [{"introduced": "0"}])
    record["affected"][0]["ranges"][0]["type"] = "GIT"
    record["affected"].append({"ranges": [{"type": "GIT", "events": []}]})
    assert check([record])[1]["findings"] == []


def test_versions_that_cannot_be_compared_are_reported(check):
    _, report = check([_record("X", "numpy", [{"introduced": "0"}, {"fixed": "no version"}])])
    assert (report["findings"], report["undecided"]) == ([], ["X: numpy 1.26.4"])


def test_without_a_file_nothing_is_scanned_and_the_report_says_so(bill, tmp_path):
    assert scan(bill, tmp_path / "report.json") == {
        "scanned": 0,
        "records": 0,
    }  # no findings were counted, which is not the same as 0
    assert json.loads((tmp_path / "report.json").read_text())["scanned"] is False


def test_the_report_names_the_image(check, bill):
    assert (
        check([_record("X", "y", [])])[1]["image"]
        == json.loads(bill.read_text())["metadata"]["component"]["version"]
    )


def _written(kind: str, path: Path, records: list[dict[str, Any]]) -> Path:
    if kind == "lines":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    elif kind == "one":
        path.write_text(json.dumps(records[0], indent=1))
    elif kind == "answer":
        path.write_text(json.dumps({"vulns": records}))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for record in records:
                archive.writestr(f"{record['id']}.json", json.dumps(record))
            archive.writestr("README", "no record")
    else:
        (path / "deep").mkdir(parents=True)
        _written("zip", path / "a.zip", records[:1])
        _written("lines", path / "deep" / "b.jsonl", records[1:])
        (path / "README.md").write_text("no record")
    return path


@pytest.mark.parametrize("kind", ["lines", "one", "answer", "zip", "folder"])
def test_records_are_read_from_whatever_holds_them(bill, tmp_path, kind):
    records = [
        _record("A", "numpy", [{"introduced": "0"}], severity=CRITICAL),
        _record("B", "zlib", [{"introduced": "0"}], "Debian:12", severity=HIGH),
    ]
    metrics = scan(bill, tmp_path / "report.json", _written(kind, tmp_path / "records", records))
    assert (metrics["records"], metrics["critical"], metrics["high"]) == (
        (1, 1, 0) if kind == "one" else (2, 1, 1)
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"3",
        b"{",
        b"[1]",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        b'{"id": 3}',
        b'{"id": "x", "affected": 3}',
        b'{"id": "x", "affected": [3]}',
        b'{"id": "x", "affected": [{"package": {}}]}',
        b'{"id": "a\\u0000"}',
        b'{"id": "x", "aliases": [[]]}',
        b'{"id": "x"}\n{',
        b"PK\x03\x04 no zip",
    ],
)
def test_a_file_without_records_is_one_sentence(bill, tmp_path, content):
    (tmp_path / "records").write_bytes(content)
    with pytest.raises(StageError):
        scan(bill, tmp_path / "report.json", tmp_path / "records")


def test_a_zip_bomb_is_refused(bill, tmp_path):
    with zipfile.ZipFile(tmp_path / "records", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.json", b" " * (17 << 20))
    with pytest.raises(StageError, match="is longer than"):
        scan(bill, tmp_path / "report.json", tmp_path / "records")


def test_no_damage_of_a_file_ends_in_a_traceback(bill, tmp_path):
    records = [
        _record(
            "A", "numpy", [{"introduced": "0"}, {"fixed": "2"}], severity=CRITICAL, aliases=["B"]
        )
    ]
    wholes = [_written(kind, tmp_path / kind, records).read_bytes() for kind in ("one", "zip")]
    chance, refused = random.Random(0), 0
    for turn in range(300):
        broken = bytearray(wholes[turn % 2])
        for _ in range(chance.randrange(1, 6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        (tmp_path / "records").write_bytes(broken)
        try:
            scan(bill, tmp_path / "report.json", tmp_path / "records")
        except StageError:
            refused += 1
    assert 50 < refused < 300


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"metadata": {"component": {"version": "x"}}, "components": [{"purl": "x"}]}',
        b"[" * 100_000,
    ],
)
def test_a_bill_that_is_none_is_one_sentence(tmp_path, content):
    (tmp_path / "bill").write_bytes(content)
    with pytest.raises(
        StageError, match="the bill of materials is not an output of the stage sbom"
    ):
        scan(tmp_path / "bill", tmp_path / "report.json")
