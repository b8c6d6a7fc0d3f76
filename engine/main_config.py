"""The keys common to all commands and their defaults: conf/config.yaml, overridden by a user's
conf/project.yaml.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.catalogue import PROJECT_FILE, ROOT
from engine.errors import UserError, did_you_mean, raise_all
from engine.settings import Settings
from engine.wording import as_typed

FOLDERS = ("outputs", "data")  # keys whose default is relative to the project


def load(dirs: Sequence[Path]) -> dict[str, object]:
    """Return the configuration that Hydra starts from; the first of several project files wins."""
    from engine import yamlfile  # slow to import, and not needed for a cached request

    config = yamlfile.load(ROOT / "conf" / "config.yaml")
    for folder in reversed(dirs[:-1]):
        path = folder / PROJECT_FILE
        if path.is_file():
            config = _with_own(config, yamlfile.load(path), as_typed(path))
    return config


def file_of(key: str, dirs: Sequence[Path]) -> Path | None:
    """Return the user's project file that sets the key, or None."""
    from engine import yamlfile  # slow to import, and not needed for a cached request

    top = key.partition(".")[0]
    paths = [folder / PROJECT_FILE for folder in dirs[:-1]]
    return next((path for path in paths if path.is_file() and top in yamlfile.load(path)), None)


def located(config: Mapping[str, object], project: Path) -> dict[str, object]:
    """Return the configuration with the default folders made absolute, below the project."""
    if project == Path.cwd():
        return dict(config)
    given = {key: path for key in FOLDERS if isinstance(path := config[key], str)}
    plain = {key: path for key, path in given.items() if path and "${" not in path}
    return {**config, **{key: str(project / path) for key, path in plain.items()}}


def choice(config: Mapping[str, object], group: str) -> str:
    """Return the file of a group that is chosen by default, such as `x86_64` for `target`."""
    return str(_choices(config)[group])


def _choices(config: Mapping[str, Any]) -> dict[str, object]:
    entries = (entry for entry in config["defaults"] if isinstance(entry, dict))
    return {group: name for entry in entries for group, name in entry.items() if "/" not in group}


def _with_own(config: dict[str, Any], own: Mapping[str, object], where: str) -> dict[str, object]:
    """Return the configuration with the user's choices and values instead of the defaults."""
    choices = _choices(config)
    known = [*choices, *Settings.model_fields]
    mistakes = []
    for key, value in own.items():
        if key not in known:
            fix = did_you_mean(key, known)
            mistakes.append(UserError(f"{where}: {key}", f"there is no key '{key}' here", fix))
        elif key in choices and not isinstance(value, str):
            fix = f"write a file's name: {key}: {choices[key]}"
            mistakes.append(UserError(f"{where}: {key}", "a name is expected here", fix))
    raise_all(mistakes)
    values = {
        key: _merged(config.get(key), value) for key, value in own.items() if key not in choices
    }
    return config | values | {"defaults": [_chosen(entry, own) for entry in config["defaults"]]}


def _merged(default: object, own: object) -> object:
    """Return the user's value; of a section, such as `kubeflow`, also the keys that it leaves out."""
    if isinstance(default, dict) and isinstance(own, dict):
        return {**default, **own}
    return own


def _chosen(entry: object, own: Mapping[str, object]) -> object:
    """Return an entry of Hydra's defaults list, with the user's choice if there is one."""
    if isinstance(entry, dict):
        return {group: own.get(group, name) for group, name in entry.items()}
    return entry
