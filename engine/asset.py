"""Assets: data sets and pre-trained models that no stage produces, declared with source, digest
and licence. No I/O.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from engine.fields import Name, validated


def _inside(path: str) -> str:
    """Return the path if it cannot leave the folder it is relative to."""
    parts = path.split("/")
    if not path or "\0" in path or "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise ValueError(
            f"'{path}' is not a path inside a folder; write it without a leading /, '.' and '..'"
        )
    return path


Inside = Annotated[str, AfterValidator(_inside)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NpmFile(_Model):
    """A file inside a package that is published on npm."""

    package: str = Field(pattern=r"^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+[0-9A-Za-z.+-]*$", description="exact, no range")
    path: Inside = Field(description="inside the package")

    def __str__(self) -> str:
        return f"{self.path} of the npm package {self.package}@{self.version}"


class AssetFile(_Model):
    """One file of an asset."""

    path: Inside = Field(description="inside the asset's folder")
    mirror: Inside = Field(description="inside the folder that mirror= names")
    url: str | None = Field(None, pattern=r"^https://")
    npm: NpmFile | None = Field(
        None, description="fetched with the npm program if there is no url, or it cannot be reached"
    )
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if not self.url and not self.npm:
            raise ValueError("a file needs a public source; write url or npm")
        return self

    @property
    def source(self) -> str:
        """Return where the file is published: its URL, or else its npm package."""
        return self.url or str(self.npm)


class MadeBy(_Model):
    """The stage that generates a sample."""

    uses: str
    output: Name
    params: Mapping[Name, Any] = Field(default_factory=dict)


class Defaults(_Model):
    """Defaults that the asset sets in the use case; the user's values take precedence."""

    params: Mapping[Name, Any] = Field(default_factory=dict)
    assets: Mapping[Name, str | None] = Field(default_factory=dict)


class Asset(_Model):
    """An asset, as conf/asset/<name>.yaml declares it: files to fetch, a stage that generates it, or
    a path on this machine."""

    name: Name
    description: str
    licence: str | None = Field(
        description="null if there is none; such an asset is never a default"
    )
    citation: str = ""
    source: str = ""
    sample: bool = Field(
        False, description="a sample: used until the user provides data, and labelled as a sample"
    )
    settings: Defaults = Defaults()
    until: tuple[Name, ...] = Field(
        (), description="the last stages that can use this data; empty: all"
    )
    files: tuple[AssetFile, ...] = ()
    compiled: AssetFile | None = Field(
        None,
        description="the model's twin for an accelerator, compiled by its publisher; the asset is then "
        "a folder with both, and the twin is packaged too",
    )
    made_by: MadeBy | None = None
    path: str | None = Field(
        None, min_length=1, description="a folder or file of the project, or any on this machine"
    )

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if sum(map(bool, (self.files, self.made_by, self.path))) != 1:
            raise ValueError("an asset needs one of files, made_by and path; write one of them")
        if self.compiled and not self.files:
            raise ValueError("compiled: is the twin of a file; add files:")
        return self

    @property
    def every_file(self) -> tuple[AssetFile, ...]:
        """Return the files, including the compiled twin if there is one."""
        return (*self.files, *filter(None, [self.compiled]))


def parse(data: Mapping[str, Any], where: str) -> Asset:
    """Return the asset, or raise all validation errors together."""
    return validated(Asset, data, "the asset is invalid", where)
