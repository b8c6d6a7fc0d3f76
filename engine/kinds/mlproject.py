"""`mlproject: {uri: ..., entry_point: ...}`: a stage that is an MLflow Project.

Its MLproject file and the YAML are checked against each other. MLflow is not imported.
"""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, model_validator

from engine import fingerprint, syntax
from engine.contract import Contract, Declared, OwnFiles
from engine.errors import UserError
from engine.projects import arguments, docker, requirements, source, spec
from engine.projects.arguments import MLFLOW_RUN, Given
from engine.projects.requirements import PythonEnv
from engine.projects.source import Source
from engine.projects.spec import EntryPoint
from engine.signature import Library
from engine.stage.virtualenv import find_python

_RUNNER = "engine.stage.project"
_LEAST_PYTHON = (3, 9)  # of engine.stage
_TOOLS = "tools"  # a folder of the store: virtual environments
EnvManager = Literal["local", "virtualenv", "docker"]


class MlProject(BaseModel):
    """An MLflow Project, and how to run it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str = Field(
        min_length=1,
        description="its folder, or a Git URL; `#folder` follows if it is not at the root",
    )
    version: str | None = Field(
        None, description="branch, tag or commit of a Git repository; null: its default branch"
    )
    entry_point: str = Field(
        "main", min_length=1, description="an entry point of MLproject, or a .py or .sh file"
    )
    env_manager: EnvManager = Field(
        "local",
        description="local: this Python environment; virtualenv: one made from python_env.yaml; "
        "docker: a container of the image in docker_env",
    )
    experiment: str | None = Field(
        None,
        min_length=1,
        description="for a project that calls mlflow.set_experiment: that name, as "
        "`mlflow run --experiment-name` needs it too",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _not_text(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, str):
            raise ValueError(
                f"a mapping is expected here (it is {value!r:.80}); write mlproject: {{uri: {value}}}"
            )
        return handler(value)


VALUE = MlProject
DESCRIPTION = "or: an MLflow Project, whose parameters are the inputs, outputs and params"


def contract(declared: Declared, library: Library) -> Contract:
    """Return the contract that MLproject and the YAML declare; raise all their mistakes together."""
    value: MlProject = declared.value
    found = _source(value, declared, library)
    given = Given(
        inputs=frozenset(declared.inputs),
        outputs=frozenset(declared.outputs),
        params=declared.params,
        where=declared.where,
        files=found.digests,
    )
    try:
        key = f"{declared.where}.mlproject.entry_point"
        entry = spec.entry_point(found.project, value.entry_point, found.digests, key)
    except UserError as mistake:
        raise ExceptionGroup("the stage is invalid", [mistake]) from None
    stage = _Stage(value, declared, found, entry, given, library)
    if mistakes := [*arguments.mistakes(entry, given), *stage.mistakes()]:
        raise ExceptionGroup("the stage is invalid", mistakes)
    return stage.contract()


def _source(value: MlProject, declared: Declared, library: Library) -> Source:
    """Return the project, and locate mistakes in the use case."""
    try:
        key = ("mlproject", value.uri, value.version)
        return library.once(
            key, lambda: source.resolve(value.uri, value.version, library.roots, library.store)
        )
    except* UserError as found:
        mistakes = [one for one in found.exceptions if isinstance(one, UserError)]
        raise ExceptionGroup(
            "the stage is invalid",
            [
                UserError(f"{declared.where}.mlproject{one.where}", one.what, one.fix)
                if one.where.startswith(".")
                else one
                for one in mistakes
            ],
        ) from None


@dataclass(frozen=True, slots=True)
class _Stage:
    """One stage with its project."""

    value: MlProject
    declared: Declared
    found: Source
    entry: EntryPoint
    given: Given
    library: Library

    def mistakes(self) -> Iterator[UserError]:
        """Yield what the environment of the project does not allow."""
        project, manager = self.found.project, self.value.env_manager
        key = f"{self.declared.where}.mlproject.env_manager"
        if manager == "docker" and project.environment != "docker_env":
            what = f"{project.where} has no docker_env"
            yield UserError(key, what, "add docker_env: {image: NAME:TAG}, or write local")
        elif manager == "docker":
            where = f"{project.where}: docker_env"
            yield from docker.mistakes(project.docker, self.declared.pass_env, where)
        elif project.environment == "docker_env":
            what = f"{project.where} has a docker_env, which MLflow always uses"
            yield UserError(key, what, "write env_manager: docker")
        elif manager == "virtualenv" and project.environment != "python_env":
            has = "a conda_env, which this project does not use" if project.environment else ""
            what = f"{project.where} has {has or 'no python_env'}"
            yield UserError(key, what, "add a python_env.yaml, or write env_manager: local")
        try:
            env = self._python_env()
        except UserError as mistake:
            yield mistake
            return
        if manager == "virtualenv" and env and env.python:
            yield from self._no_python(env.python)

    def _no_python(self, wanted: str) -> Iterator[UserError]:
        """Yield why no virtual environment of this version of Python can be made."""
        where = f"{self.value.uri}/{self.found.project.environment_file}: python"
        fix = "change the version, or write env_manager: local"
        parts = tuple(int(part) for part in wanted.split(".") if part.isdecimal())
        if parts < _LEAST_PYTHON[: len(parts)]:
            what = f"Python {wanted} is too old to run a stage, which needs 3.9 or newer"
            yield UserError(where, what, fix)
        elif find_python(wanted) is None:
            what = f"Python {wanted} is not installed here (this is {platform.python_version()})"
            yield UserError(where, what, f"install it: pyenv install {wanted}; or {fix}")

    def contract(self) -> Contract:
        """Return the contract."""
        value, project = self.value, self.found.project
        is_docker = value.env_manager == "docker"
        return Contract(
            label=f"{value.uri} {value.entry_point}",
            subject=f"the entry point '{value.entry_point}' of {value.uri}",
            doc=f"MLflow Project {project.name}, entry point {value.entry_point}.",
            inputs=dict.fromkeys(self.declared.inputs, True),
            outputs=(*self.declared.outputs, MLFLOW_RUN),
            suffixes=self.declared.suffixes,
            params=arguments.parameters(self.entry, self.given),
            metrics=None,
            sources=self._sources(),
            extra=frozenset({MLFLOW_RUN}),
            files=OwnFiles(self.found.folder, self.found.digests),
            image=project.docker["image"] if is_docker else None,
            mounts=docker.links(project.docker) if is_docker else {},
            only_local="" if is_docker else _why_local(value.env_manager),
            notes=tuple(self._notes()),
            invoke={"module": _RUNNER, "function": "run", "arguments": [self._settings()]},
        )

    def _settings(self) -> dict[str, Any]:
        """Return what the job needs to know of the project: the first argument of its runner."""
        value, project = self.value, self.found.project
        types = {name: one.type for name, one in self.entry.parameters.items()}
        return {
            "project": project.name,
            "experiment": value.experiment or project.name,
            "entry_point": value.entry_point,
            "command": self.entry.command,
            "types": types,
            "passed": arguments.passed(self.entry, self.given),
            "is_declared": not self.entry.accepts_any,
            "inputs": list(self.declared.inputs),
            "outputs": list(self.declared.outputs),
            "files": self.found.digests,
            "tags": self._tags(),
            "variables": docker.variables(project.docker),
            "environment": self._environment(),
        }

    def _tags(self) -> dict[str, str]:
        """Return the tags that `mlflow run` sets."""
        tags = {
            "mlflow.source.name": self.value.uri,
            "mlflow.source.type": "PROJECT",
            "mlflow.project.entryPoint": self.value.entry_point,
            "mlflow.project.env": self.value.env_manager,
        }
        if self.found.commit:
            tags["mlflow.source.git.commit"] = self.found.commit
        return tags

    def _environment(self) -> dict[str, Any] | None:
        """Return the virtual environment to run in; None: the job's own environment."""
        if self.value.env_manager != "virtualenv" or self.library.store is None:
            return None
        env = self._python_env()
        assert env is not None
        return {
            "folder": str(self.library.store / _TOOLS),
            "python": env.python or platform.python_version(),
            "build_dependencies": list(env.build_dependencies),
            "dependencies": list(env.dependencies),
            "where": f"{self.value.uri}/{self.found.project.environment_file}",
        }

    def _python_env(self) -> PythonEnv | None:
        """Return the content of python_env.yaml; None if the project has none."""
        project = self.found.project
        if project.environment != "python_env" or project.environment_file is None:
            return None
        path = self.found.folder / project.environment_file
        return requirements.read(path, f"{self.value.uri}/{project.environment_file}")

    def _sources(self) -> dict[str, Any]:
        """Return what the results depend on: the project, and the packages that run it."""
        found = {f"project {name}": digest for name, digest in self.found.digests.items()}
        found |= {"entry point": self.value.entry_point, "env_manager": self.value.env_manager}
        if self.value.experiment:
            found["experiment"] = self.value.experiment
        if self.declared.suffixes:
            found |= {f"suffix {name}": one for name, one in self.declared.suffixes.items()}
        if self.value.env_manager == "local":
            versions = fingerprint.environment(frozenset({"mlflow", *self._imports()}))
            found |= {f"package {name}": version for name, version in versions.items()}
        return found

    def _imports(self) -> set[str]:
        """Return the packages from outside the project that its Python files import."""
        import ast

        files = [Path(name) for name in self.found.digests if name.endswith(".py")]
        own = {path.stem for path in files} | {path.parts[0] for path in files}
        names: set[str] = set()
        for path in files:
            text = (self.found.folder / path).read_bytes()
            try:
                names |= {name for name, _ in syntax.imports(ast.parse(text), path.stem)}
            except (SyntaxError, ValueError, RecursionError):  # Python reports it, if it is run
                continue
        return {name.partition(".")[0] for name in names} - own - {""}

    def _notes(self) -> Iterator[str]:
        """Yield what a user should know before the run."""
        if self.found.note:
            yield self.found.note
        if self.value.env_manager != "local":
            return
        project = self.found.project
        env = self._python_env()
        installed = fingerprint.installed()
        if env and (asked := requirements.differences(env, installed, platform.python_version())):
            yield f"{self.value.uri}/{project.environment_file} asks for {_listed(asked)}"
        elif project.environment == "conda_env":
            yield f"{self.value.uri}/{project.environment_file} is not used: env_manager is local"


def _why_local(manager: str) -> str:
    return f"an MLflow Project with env_manager: {manager} runs as a process of this machine"


def _listed(phrases: Sequence[str]) -> str:
    return "; ".join(phrases)
