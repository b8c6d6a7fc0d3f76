"""The definition of an image: containers/<image>/image.yaml, validated."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.stage import StageError

_KEYS = {
    "name",
    "description",
    "platforms",
    "wheels",
    "leave_out",
    "debian",
    "base",
    "usecase",
    "repository",
    "env",
    "user",
    "optional",
}


@dataclass(frozen=True, slots=True)
class Image:
    """One image; `leave_out`: patterns of files in its packages; `repository`: an apt source with packages
    that cannot be locked.
    """

    name: str
    description: str
    platforms: tuple[str, ...]
    leave_out: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    user: str = "1000:1000"
    repository: dict[str, str] = field(default_factory=dict)


def read_image(folder: Path) -> Image:
    """Return the image that this folder describes."""
    import yaml

    path = folder / "image.yaml"
    if not path.is_file():
        raise StageError(f"{folder.name} is not an image folder: it has no image.yaml")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StageError(
            f"{folder.name}/image.yaml is not valid YAML: {' '.join(str(error).split())}"
        ) from None
    return _checked(data)


def _checked(data: Any) -> Image:
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("platforms"), list)
        or not isinstance(data.get("name"), str)
    ):
        raise StageError("image.yaml has no name, or no platforms")
    name = data["name"]
    unknown = sorted(str(key) for key in data.keys() - _KEYS)
    if unknown:
        raise StageError(
            f"{name}/image.yaml has unknown keys: {', '.join(unknown)}; valid keys are "
            f"{', '.join(sorted(_KEYS))}"
        )
    env, repository = data.get("env") or {}, data.get("repository") or {}
    if not (isinstance(env, dict) and isinstance(repository, dict)):
        raise StageError(f"{name}/image.yaml: env and repository must be mappings")
    return Image(
        name=name,
        description=str(data.get("description", "")),
        platforms=tuple(map(str, data["platforms"])),
        leave_out=tuple(map(str, data.get("leave_out") or ())),
        env={str(key): str(value) for key, value in env.items()},
        user=str(data.get("user", "1000:1000")),
        repository={str(key): str(value) for key, value in repository.items()},
    )
