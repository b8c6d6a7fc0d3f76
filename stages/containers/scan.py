"""Checks an image's bill of materials for known vulnerabilities, offline."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.containers._osv import Component


class ScanMetrics(TypedDict):
    """The number of components checked, of records read, and of findings by severity, without accepted
    ones. other: medium, low and unrated. fixable: findings with a known fixed version. Without a file,
    components and records are 0, and there are no metrics for findings: not scanned is not the same as
    nothing found.
    """

    scanned: float
    records: float
    critical: NotRequired[float]
    high: NotRequired[float]
    other: NotRequired[float]
    accepted: NotRequired[float]
    fixable: NotRequired[float]


def scan(
    sbom: In,
    report: Annotated[Out, Suffix(".json")],
    vulnerabilities: In | None = None,
    *,
    accepted: list[str] | None = None,
) -> ScanMetrics:
    """Write the vulnerabilities that affect the components, most severe first.

    sbom:            CycloneDX, JSON, as written by the stage `sbom`
    vulnerabilities: OSV records: a JSON file with one record, a list, or one record per line, or a folder
                     or zip of such files, as osv.dev offers for the ecosystems PyPI and Debian. None:
                     nothing is scanned, and the report says so
    accepted:        names of vulnerabilities (CVE-..., GHSA-..., PYSEC-...) that are listed but not counted
    Debian packages are looked up by source package and release, as in Debian's security tracker.
    Severity is the base score of a CVSS 3 vector, or else the database's rating. The same records
    give the same report, which contains no time. StageError: the bill or the file cannot be read.
    """
    import json

    from stages.containers import _osv

    image, components = _components(sbom)
    result = _osv.scan(components, vulnerabilities) if vulnerabilities else _osv.Result()
    if not vulnerabilities:
        note(
            "nothing was scanned because no vulnerability file is set; to set one: "
            "assets.vulnerabilities=PATH"
        )
    if vulnerabilities and not result.records:
        raise StageError(
            f"{vulnerabilities.name} contains no vulnerability: give a file, folder or zip "
            "with records in OSV's format"
        )
    if result.undecided:
        note(
            f"{len(result.undecided)} ranges have versions that cannot be compared; the report lists them"
        )
    allowed = set(accepted or [])
    counted = [finding for finding in result.findings if not finding.names & allowed]
    levels = [finding.severity for finding in counted]
    findings = [
        {
            "component": finding.component.purl,
            "names": sorted(finding.names),
            "severity": finding.severity,
            "accepted": bool(finding.names & allowed),
            "fixed_in": sorted(finding.fixed_in),
            "summary": finding.summary,
        }
        for finding in result.findings
    ]
    found = {
        "v": 1,
        "image": image,
        "scanned": vulnerabilities is not None,
        "records": result.records,
        "components": len(components),
        "findings": findings,
        "undecided": result.undecided,
    }
    report.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if not vulnerabilities:
        return ScanMetrics(scanned=0.0, records=0.0)
    return ScanMetrics(
        scanned=float(len(components)),
        records=float(result.records),
        critical=float(levels.count("critical")),
        high=float(levels.count("high")),
        other=float(len(levels) - levels.count("critical") - levels.count("high")),
        accepted=float(len(findings) - len(counted)),
        fixable=float(sum(bool(finding.fixed_in) for finding in counted)),
    )


def _components(sbom: "Path") -> "tuple[str, list[Component]]":
    """Return the image's digest, and the components that advisories can cover."""
    import json

    try:
        bill = json.loads(sbom.read_bytes())
        image = str(bill["metadata"]["component"]["version"])
        found = [_component(entry) for entry in bill["components"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StageError("the bill of materials is not an output of the stage sbom") from None
    return image, [component for component in found if component]


def _component(entry: dict[str, Any]) -> "Component | None":
    from packageurl import PackageURL

    from stages.containers._osv import Component
    from stages.containers._packages import normal

    purl = PackageURL.from_string(entry["purl"])
    name, version = str(entry["name"]), str(entry["version"])
    if purl.type == "pypi":
        return Component(entry["purl"], "PyPI", normal(name), version)
    if purl.type == "deb":
        properties = {each["name"]: each["value"] for each in entry.get("properties") or []}
        release = dict(purl.qualifiers or {}).get("distro", "").removeprefix("debian-")
        source = (
            properties.get("debian:source", name),
            properties.get("debian:source_version", version),
        )
        return Component(entry["purl"], f"Debian:{release}" if release else "Debian", *source)
    return None
