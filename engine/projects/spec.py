"""An MLproject file: its entry points, their parameters, and its environment.

The format is MLflow's (https://mlflow.org/docs/latest/ml/projects). MLflow ignores most mistakes in it
until the project runs; here they are all found when planning, each with its key.
"""

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.contract import REQUIRED
from engine.errors import UserError, UserErrors, did_you_mean

FILE_NAME = "MLproject"
ENVIRONMENTS = ("python_env", "conda_env", "docker_env")
SCRIPTS = {".py": "python", ".sh": "bash"}  # scripts that are entry points without being declared
_KEYS = ("name", "entry_points", *ENVIRONMENTS)
_PARAMETER_KEYS = ("type", "default")
_DOCKER_KEYS = ("image", "volumes", "environment")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an entry point; MLflow treats types that it does not know as text."""

    type: str = "string"
    default: object = REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """A command with its parameters. A script that is not declared has none, and accepts any."""

    name: str
    command: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    accepts_any: bool = False
    where: str  # for messages

    @property
    def used(self) -> frozenset[str]:
        """Return the names of the parameters that the command uses."""
        return frozenset(_fields(self.command))


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """An MLproject file."""

    name: str
    entry_points: Mapping[str, EntryPoint]
    environment: str | None  # the key of its environment
    environment_file: str | None  # of python_env or conda_env
    docker: Mapping[str, Any]
    where: str  # the file, for messages


def read(folder: Path, where: str) -> Project:
    """Return the project in a folder; raise all mistakes of its MLproject together.

    where: the project's location, for messages. A folder without the file is a project without
    declared entry points, as for MLflow.
    """
    path = next((one for one in folder.iterdir() if one.name.lower() == FILE_NAME.lower()), None)
    file = f"{where}/{path.name if path else FILE_NAME}"
    data, mistakes = _loaded(path, file) if path else ({}, [])
    mistakes += [*_unknown(data, _KEYS, file)]
    found = {
        name: _entry_point(name, value, f"{file}: entry_points.{name}", mistakes)
        for name, value in _mapping(data.get("entry_points"), f"{file}: entry_points", mistakes)
    }
    environment = _environment(data, folder, file, mistakes)
    docker = dict(_mapping(data.get("docker_env"), f"{file}: docker_env", mistakes))
    if docker:
        mistakes += _docker(docker, f"{file}: docker_env")
    if mistakes:
        raise ExceptionGroup("the project is invalid", mistakes)
    return Project(
        name=str(data.get("name") or folder.name),
        entry_points={name: one for name, one in found.items() if one},
        environment=environment,
        environment_file=_environment_file(data, folder, environment),
        docker=docker,
        where=file,
    )


def entry_point(project: Project, name: str, files: Mapping[str, str], where: str) -> EntryPoint:
    """Return the entry point of this name: a declared one, or a script among the files.

    Raise UserError with the nearest name. where: the key in the use case.
    """
    if name in project.entry_points:
        return project.entry_points[name]
    program = SCRIPTS.get(Path(name).suffix)
    if program and name in files:
        quoted = "'" + name.replace("'", "'\\''") + "'"
        command = f"{program} {quoted.replace('{', '{{').replace('}', '}}')}"
        return EntryPoint(name=name, command=command, accepts_any=True, where=project.where)
    scripts = sorted(one for one in files if Path(one).suffix in SCRIPTS)
    if not project.entry_points and not scripts:
        what = "the project has no entry points"
        raise UserError(project.where, what, "declare one below 'entry_points:'")
    what = f"the project has no entry point '{name}'"
    raise UserError(where, what, did_you_mean(name, [*project.entry_points, *scripts]))


def _loaded(path: Path, file: str) -> tuple[dict[str, Any], list[UserError]]:
    from engine import yamlfile  # slow to import

    try:
        return dict(yamlfile.load(path)), []
    except UserErrors as found:
        return {}, [_moved(one, path, file) for one in found.errors]
    except UserError as error:
        return {}, [_moved(error, path, file)]


def _moved(error: UserError, path: Path, file: str) -> UserError:
    """Return the error with the project's location instead of the path of its copy."""
    return UserError(error.where.replace(str(path), file), error.what, error.fix)


def _unknown(data: Mapping[str, Any], known: tuple[str, ...], where: str) -> Iterator[UserError]:
    for key in data:
        if key == "databricks_spark_job":
            fix = "remove it, or run the project on Databricks"
            yield UserError(f"{where}: {key}", "Spark jobs of Databricks cannot run here", fix)
        elif key not in known:
            at = f"{where}.{key}" if ": " in where else f"{where}: {key}"
            yield UserError(at, f"there is no key '{key}' here", did_you_mean(key, known))


def _mapping(value: object, where: str, mistakes: list[UserError]) -> list[tuple[str, Any]]:
    """Return the items of a mapping; anything else is a mistake, and has none."""
    if value is None:
        return []
    if not isinstance(value, Mapping):
        fix = "write 'key: value' lines below it"
        mistakes.append(UserError(where, "a mapping is expected", fix))
        return []
    return list(value.items())


def _entry_point(
    name: str, value: object, where: str, mistakes: list[UserError]
) -> EntryPoint | None:
    data = dict(_mapping(value, where, mistakes))
    mistakes += _unknown(data, ("parameters", "command"), where)
    given = _mapping(data.get("parameters"), f"{where}.parameters", mistakes)
    parameters = {key: _parameter(one, f"{where}.parameters.{key}", mistakes) for key, one in given}
    command = data.get("command")
    if not isinstance(command, str) or not command.strip():
        fix = 'write command: "python train.py {alpha}"'
        mistakes.append(UserError(where, "the entry point has no command", fix))
        return None
    mistakes += _placeholders(command, parameters, f"{where}.command")
    return EntryPoint(name=name, command=command, parameters=parameters, where=where)


def _parameter(value: object, where: str, mistakes: list[UserError]) -> Parameter:
    if isinstance(value, str):
        return Parameter(value)
    data = dict(_mapping(value, where, mistakes))
    mistakes += _unknown(data, _PARAMETER_KEYS, where)
    default = data.get("default")
    if isinstance(default, list | Mapping):
        fix = "write text or a number, or leave it out: the parameter is then required"
        mistakes.append(UserError(f"{where}.default", "a default is a single value", fix))
        default = None
    # MLflow does not distinguish a default of null from none at all
    return Parameter(str(data.get("type", "string")), REQUIRED if default is None else default)


def _placeholders(
    command: str, parameters: Mapping[str, Parameter], where: str
) -> Iterator[UserError]:
    escape = "write {{ and }} for braces that are not a parameter"
    try:
        names = list(dict.fromkeys(_fields(command)))
    except ValueError as error:
        yield UserError(where, f"its braces cannot be read: {error}", escape)
        return
    for name in names:
        if name not in parameters:
            what = f"'{{{name}}}' is not a parameter of the entry point"
            fix = did_you_mean(name, parameters, escape)
            yield UserError(where, what, fix)


def _fields(command: str) -> Iterator[str]:
    """Yield the names in braces, as str.format, which MLflow uses, understands them."""
    for _, name, _, _ in string.Formatter().parse(command):
        if name is not None:
            yield name


def _environment(
    data: Mapping[str, Any], folder: Path, file: str, mistakes: list[UserError]
) -> str | None:
    given = [key for key in ENVIRONMENTS if data.get(key)]
    if len(given) > 1:
        what = f"a project has one environment, not both {given[0]} and {given[1]}"
        mistakes.append(UserError(f"{file}: {given[1]}", what, "keep one of them"))
    for key in (key for key in given if key != "docker_env"):
        path = data[key]
        if not isinstance(path, str) or not _is_inside(path) or not (folder / path).is_file():
            what = f"the project has no file '{path}'"
            mistakes.append(UserError(f"{file}: {key}", what, "name a file of the project"))
    default = {"python_env": "python_env.yaml", "conda_env": "conda.yaml"}
    there = [key for key, name in default.items() if (folder / name).is_file()]
    return next(iter([*given, *there]), None)


def _is_inside(path: str) -> bool:
    return not Path(path).is_absolute() and ".." not in Path(path).parts


def _environment_file(data: Mapping[str, Any], folder: Path, environment: str | None) -> str | None:
    if environment in (None, "docker_env"):
        return None
    default = "python_env.yaml" if environment == "python_env" else "conda.yaml"
    return str(data.get(str(environment)) or default)


def _docker(docker: Mapping[str, Any], where: str) -> Iterator[UserError]:
    yield from _unknown(docker, _DOCKER_KEYS, where)
    if not isinstance(docker.get("image"), str):
        yield UserError(where, "the key 'image' is missing", "add 'image: NAME:TAG'")
    volumes = docker.get("volumes") or []
    if not (isinstance(volumes, list) and all(isinstance(one, str) for one in volumes)):
        fix = 'write a list of text: ["./data:/data"]'
        yield UserError(f"{where}.volumes", "a list of volumes is expected", fix)
    given = docker.get("environment") or []
    if not (isinstance(given, list) and all(map(_is_variable, given))):
        fix = 'write names to pass on, and pairs to set: [HOME, ["LEVEL", "2"]]'
        yield UserError(f"{where}.environment", "a list of variables is expected", fix)


def _is_variable(value: object) -> bool:
    is_pair = isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) for v in value)
    return isinstance(value, str) or is_pair
