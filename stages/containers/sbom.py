"""Lists the packages of an image as a CycloneDX bill of materials."""

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from stages.containers._layout import Image
    from stages.containers._packages import Package


class SbomMetrics(TypedDict):
    """The number of components, in total, from PyPI and from Debian, and with a licence and a hash."""

    components: float
    pypi: float
    debian: float
    with_licence: float
    with_hash: float


def sbom(
    archive: In,
    sbom: Annotated[Out, Suffix(".spdx.json")],
    context: In | None = None,
    lock: In | None = None,
    *,
    name: str = "image",
) -> SbomMetrics:
    """Write the software bill of materials of an image: CycloneDX 1.6, JSON.

    archive:       an OCI image layout in one tar; the installed packages are read from its layers,
                   not from its labels
    context, lock: the folders of the image and of the base, with requirements-<arch>.lock and
                   debian-<arch>.lock, which provide the hashes
    name: the image's name in the bill
    The result does not depend on when or where it is made: the serial number comes from the image's
    digest, the timestamp from the image. Source: https://cyclonedx.org/docs/1.6/json/,
    https://github.com/package-url/purl-spec. StageError: the archive cannot be read, has no
    installed packages, or lacks a locked package.
    """
    from dataclasses import replace

    from stages.containers import _layout, _packages

    image = _layout.read(archive)
    found = _packages.installed(image)
    if not found.packages:
        raise StageError("dpkg and Python list no installed packages in the image")
    hashes = {
        key: sha256
        for folder in (context, lock)
        if folder
        for key, sha256 in _packages.locked(folder, image.arch).items()
    }
    missing = hashes.keys() - {
        (package.kind, package.name, package.version) for package in found.packages
    }
    if missing:
        raise StageError(
            "the image lacks packages of its locks: "
            f"{', '.join(sorted((f'{n} {v}' for _, n, v in missing)))}"
        )
    packages = [
        replace(package, sha256=hashes.get((package.kind, package.name, package.version), ""))
        for package in found.packages
    ]
    sbom.write_text(_json(image, name, found.release, packages), encoding="utf-8")
    return SbomMetrics(
        components=float(len(packages)),
        pypi=float(sum(package.kind == "pypi" for package in packages)),
        debian=float(sum(package.kind == "deb" for package in packages)),
        with_licence=float(sum(bool(package.licences) for package in packages)),
        with_hash=float(sum(bool(package.sha256) for package in packages)),
    )


def _json(image: "Image", name: str, release: str, packages: "list[Package]") -> str:
    from datetime import datetime
    from uuid import NAMESPACE_URL, uuid5

    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion
    from packageurl import PackageURL

    purl = PackageURL("oci", None, name.lower(), image.digest, {"arch": image.arch})
    itself = Component(
        name=name,
        version=image.digest,
        type=ComponentType.CONTAINER,
        purl=purl,
        bom_ref=str(purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=image.digest[7:])],
    )
    bom = Bom(
        components=[_component(package, release) for package in packages],
        serial_number=uuid5(NAMESPACE_URL, str(purl)),
        metadata=BomMetaData(
            component=itself, timestamp=datetime.fromtimestamp(image.created_s, UTC)
        ),
    )
    bom.register_dependency(itself, bom.components)
    return (
        str(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1))
        + "\n"
    )


def _component(package: "Package", release: str) -> Any:
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
    from packageurl import PackageURL

    if package.kind == "deb":
        qualifiers = {"arch": package.arch, **({"distro": f"debian-{release}"} if release else {})}
        purl = PackageURL("deb", "debian", package.name, package.version, qualifiers)
    else:
        purl = PackageURL("pypi", None, package.name, package.version)
    source = (
        dict(zip(("debian:source", "debian:source_version"), package.source, strict=True))
        if package.kind == "deb"
        else {}
    )
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=package.sha256)]
        if package.sha256
        else [],
        licenses=[
            LicenseExpression(text) if package.is_expression else DisjunctiveLicense(name=text)
            for text in package.licences
        ],
        properties=[Property(name=key, value=value) for key, value in source.items()],
    )
