"""The bill of materials: of small images, and of the project's own."""

import json
import random
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from engine.stage import StageError
from stages.containers.sbom import sbom
from tests import archives

ROOT = Path(__file__).resolve().parents[3]
SITE = "usr/local/lib/python3.11/dist-packages"
STATUS = b"""Package: libblas3
Status: install ok installed
Architecture: armhf
Source: lapack (3.11.0-2~x)
Version: 3.11.0-2
Description: Basic Linear Algebra
 Source: not this one

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 1:2024a-0+deb12u1
"""
COPYRIGHT = (
    b"Format: https://www.debian.org/doc/\n\nFiles: *\nLicense: BSD-3-clause\n text\n\nFiles: "
    b"b\nLicense: GPL-2+\n"
)
FILES: dict[str, bytes | str] = {
    "etc/os-release": "../usr/lib/os-release",
    "usr/lib/os-release": b'ID=debian\nVERSION_ID="12"\n',
    "var/lib/dpkg/status": STATUS,
    "usr/share/doc/libblas3/copyright": COPYRIGHT,
    f"{SITE}/Some_Thing-2.0.dist-info/METADATA": (
        b"Metadata-Version: 2.4\nName: Some.Thing\nVersion: "
        b"2.0\nLicense-Expression: MIT OR Apache-2.0\n\nName: no"
    ),
    f"{SITE}/old-1.dist-info/METADATA": (
        b"Name: old\nVersion: 1\nLicense: UNKNOWN\nClassifier: License :: OSI Approved :: BSD License\n"
    ),
    "usr/lib/python3/dist-packages/debs-1.dist-info/METADATA": b"Name: debs\nVersion: 1\n",
}
LOCKS = {
    "requirements-armv7.lock": f"# made\nsome-thing==2.0 --hash=sha256:{'a' * 64}\n",
    "requirements-amd64.lock": "other platform",
    "debian-armv7.lock": f"# made\nepoch 1\ntzdata 1:2024a-0+deb12u1 pool/t.deb {'b' * 64}\n",
}


@pytest.fixture
def archive(tmp_path) -> Path:
    """An image for arm/v7 with packages of both kinds."""
    return archives.write(tmp_path / "image.tar", [archives.layer(FILES)], "linux/arm/v7")


@pytest.fixture
def locks(tmp_path) -> Path:
    """The locks of that image."""
    (tmp_path / "locks").mkdir()
    for name, text in LOCKS.items():
        (tmp_path / "locks" / name).write_text(text)
    return tmp_path / "locks"


def _bill(archive, tmp_path, *more, **params):
    metrics = sbom(archive, tmp_path / "bill.json", *more, **params)
    return metrics, json.loads((tmp_path / "bill.json").read_text())


def test_what_is_installed_is_listed_once_and_nothing_else(archive, tmp_path):
    metrics, bill = _bill(archive, tmp_path)
    assert [component["purl"] for component in bill["components"]] == [
        "pkg:deb/debian/libblas3@3.11.0-2?arch=armhf&distro=debian-12",
        "pkg:pypi/old@1",
        "pkg:pypi/some-thing@2.0",
        "pkg:deb/debian/tzdata@1:2024a-0%2Bdeb12u1?arch=all&distro=debian-12",
    ]
    assert (metrics["components"], metrics["debian"], metrics["pypi"], metrics["with_licence"]) == (
        4,
        2,
        2,
        3,
    )


def test_debians_source_package_stands_beside_its_binary(archive, tmp_path):
    _, bill = _bill(archive, tmp_path)
    properties = [
        {p["name"]: p["value"] for p in component.get("properties", [])}
        for component in bill["components"]
    ]
    assert properties[0] == {"debian:source": "lapack", "debian:source_version": "3.11.0-2~x"}
    assert properties[3] == {
        "debian:source": "tzdata",
        "debian:source_version": "1:2024a-0+deb12u1",
    }


def test_licences_are_those_that_the_packages_name(archive, tmp_path):
    _, bill = _bill(archive, tmp_path)
    assert [component.get("licenses") for component in bill["components"]] == [
        [{"license": {"name": "BSD-3-clause"}}, {"license": {"name": "GPL-2+"}}],
        [{"license": {"name": "BSD License"}}],
        [{"expression": "MIT OR Apache-2.0"}],
        None,
    ]


def test_hashes_come_from_the_locks_of_the_platform(archive, locks, tmp_path):
    metrics, bill = _bill(archive, tmp_path, locks)
    hashes = {
        component["name"]: component["hashes"][0]["content"]
        for component in bill["components"]
        if "hashes" in component
    }
    assert hashes == {"some-thing": "a" * 64, "tzdata": "b" * 64} and metrics["with_hash"] == 2


def test_a_package_that_the_image_lacks_is_named(archive, locks, tmp_path):
    (locks / "requirements-armv7.lock").write_text(
        f"numpy==1.0 --hash=sha256:{'a' * 64}\nold==1 --hash=sha256:{'a' * 64}\n"
    )
    with pytest.raises(StageError, match=r"the image lacks packages of its locks: numpy 1\.0$"):
        _bill(archive, tmp_path, None, locks)


def test_a_line_that_is_no_lock_is_named(archive, locks, tmp_path):
    (locks / "debian-armv7.lock").write_text("tzdata\n")
    with pytest.raises(
        StageError, match=r"debian-armv7\.lock has a line that is not a locked package: 'tzdata'"
    ):
        _bill(archive, tmp_path, locks)


def test_the_bill_is_of_this_image_and_of_its_time(archive, tmp_path):
    _, bill = _bill(archive, tmp_path, name="runtime")
    about = bill["metadata"]
    assert (bill["bomFormat"], bill["specVersion"], about["timestamp"]) == (
        "CycloneDX",
        "1.6",
        "2026-01-02T03:04:05+00:00",
    )
    assert about["component"]["type"] == "container" and about["component"]["purl"].startswith(
        "pkg:oci/runtime@sha256"
    )
    assert about["component"]["hashes"][0]["content"] == about["component"]["version"].removeprefix(
        "sha256:"
    )


def test_the_same_image_has_the_same_bill_to_the_byte(archive, locks, tmp_path):
    bills = []
    for name in ("one", "two"):
        sbom(archive, tmp_path / name, locks)
        bills.append((tmp_path / name).read_bytes())
    assert bills[0] == bills[1]


def test_the_bill_keeps_to_the_schema(archive, locks, tmp_path):
    _, bill = _bill(archive, tmp_path, locks)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None


def test_every_component_has_a_reference_of_its_own(archive, locks, tmp_path):
    _, bill = _bill(archive, tmp_path, locks)
    references = [component["bom-ref"] for component in bill["components"]] + [
        bill["metadata"]["component"]["bom-ref"]
    ]
    assert len(set(references)) == len(references)
    assert {entry["ref"] for entry in bill["dependencies"]} == set(references)


def test_cyclonedx_reads_the_bill_back(archive, tmp_path):
    from cyclonedx.model.bom import Bom

    _, bill = _bill(archive, tmp_path)
    read = Bom.from_json(bill)  # type: ignore[attr-defined]
    assert {str(component.purl) for component in read.components} == {
        component["purl"] for component in bill["components"]
    }
    assert read.validate()


def test_an_image_without_packages_is_refused(tmp_path):
    with pytest.raises(StageError, match="list no installed packages in the image"):
        _bill(archives.write(tmp_path / "i", [archives.layer({"a": b"x"})]), tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("var/lib/dpkg/status", b"Package: ../x\nVersion: 1\n"),
        ("var/lib/dpkg/status", b"Version: 1\n"),
        (f"{SITE}/x.dist-info/METADATA", b""),
        (f"{SITE}/x.dist-info/METADATA", b"Name: <x>\nVersion: 1\n"),
        (f"{SITE}/x.dist-info/METADATA", b"Name: x\nVersion: 1 or 2\n"),
    ],
)
def test_a_package_without_name_and_version_is_refused(tmp_path, name, content):
    with pytest.raises(
        StageError, match=r"lacks the distribution's name or version|without a package"
    ):
        _bill(archives.write(tmp_path / "i", [archives.layer({name: content})]), tmp_path)


def test_no_damage_of_the_packages_records_ends_in_a_traceback(tmp_path):
    chance, read = random.Random(0), 0
    for _ in range(100):
        files = dict(FILES)
        for name in chance.sample(
            [name for name, content in files.items() if isinstance(content, bytes)], 2
        ):
            broken = bytearray(files[name])
            for _ in range(chance.randrange(1, 6)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            files[name] = bytes(broken)
        try:
            _bill(archives.write(tmp_path / "i", [archives.layer(files)]), tmp_path)
            read += 1
        except StageError:
            pass
    assert 0 < read < 100


def test_every_package_of_the_projects_own_image_is_in_a_lock(runtime_image, tmp_path):
    metrics, bill = _bill(
        runtime_image("linux/amd64")[0],
        tmp_path,
        ROOT / "containers" / "runtime",
        ROOT / "containers" / "base",
    )
    assert metrics["with_hash"] == metrics["components"] > 100
    assert metrics["with_licence"] / metrics["components"] > 0.75
    assert "numpy" in {component["name"] for component in bill["components"]}
