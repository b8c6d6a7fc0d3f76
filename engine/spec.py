"""The use case's YAML as a model: frozen, typed, all validation errors found at once. No I/O."""

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    create_model,
)

from engine import kind
from engine.errors import UserError
from engine.fields import (
    ConditionKey,
    Duration,
    EnvName,
    EnvValue,
    Name,
    OutputName,
    ParamValue,
    Rule,
    Scalar,
    Size,
    StageName,
    explain_all,
)
from engine.vocabulary import Direction, RunsOn


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Resources(_Model):
    """The share of the machine that a job uses while it runs."""

    cpus: float = Field(1, gt=0, allow_inf_nan=False, description="processor cores")
    memory: Size = Field(0, description="bytes, such as 512M or 2G; 0: not counted")
    pids: int = Field(
        0,
        ge=0,
        description="limit on the processes and threads of its container; 0: the executor's limit",
    )
    accelerator: bool = Field(False, description="needs exclusive use of the target's accelerator")
    gpu: int = Field(
        0,
        ge=0,
        le=64,
        description="NVIDIA GPUs that it uses alone, on x86-64 Linux; 0: it sees none. Not yet tested "
        "on a GPU",
    )
    exclusive: bool = Field(
        False, description="runs alone: no other stage of the run at the same time"
    )


def _given(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that are not null: a key may be null so that others can refer to it."""
    return {name: value for name, value in inputs.items() if value is not None}


if TYPE_CHECKING:
    _OfAKind = _Model
    _Inputs = Mapping[Name, str | list[str]]
else:  # a field for each kind of stage; and an input may be null
    _Inputs = Annotated[Mapping[Name, str | list[str] | None], AfterValidator(_given)]
    _OfAKind = create_model("_OfAKind", __base__=_Model, **kind.fields())


class StageSpec(_OfAKind):
    """One stage of a use case."""

    inputs: _Inputs = Field(
        default_factory=dict,
        description="input name: stage.output, asset:key, or stage@*.output (a folder with an entry "
        "for each value of the stage's foreach); a list of them: the first that the plan contains; "
        "null: none",
    )
    foreach: Mapping[Name, list[Scalar]] | None = Field(
        None,
        description="create one stage per value: {fold: [0, 1]} creates train@0 and train@1; several "
        "keys create all combinations, such as train@cnn-0. ${each.fold} is the value "
        "inside the stage",
    )
    exclude: list[Mapping[Name, Scalar]] | None = Field(
        None, description="combinations of `foreach` that are left out: [{fold: 1, model: cnn}]"
    )
    when: Mapping[ConditionKey, Scalar | list[Scalar]] = Field(
        default_factory=dict,
        description="keys of the target, or parameters of the use case, and the values, or lists of "
        "values, for which the plan contains the stage: {accelerator: none}, {params.method: "
        "[a, b]}; assets that must be given, or not: {assets.packed: true}; or the use case's task: "
        "{task: [classify, detect]}. Otherwise stages that read its outputs get None",
    )
    outputs: tuple[OutputName, ...] = Field(
        (),
        description="outputs of a command, such as rows or rows.csv; outputs of a function come from "
        "its signature",
    )
    params: Mapping[Name, Any] = Field(default_factory=dict)
    runs_on: RunsOn = Field(
        "build",
        description="build: this machine's platform; target: the target's platform; host: a local "
        "process, whatever the executor",
    )
    image: str | None = Field(
        None,
        description="the image of its container; by default the smallest one with its imports. An "
        "image with an environment.yaml is also the environment of a local process",
    )
    network: bool = Field(False, description="its container may use the network")
    formerly: StageName | None = Field(
        None,
        description="an earlier name of the stage: for one release, its metrics are also available "
        "under this name, in objective, gates and scripts",
    )
    require: Mapping[str, Rule] = Field(
        default_factory=dict,
        description='gates: metric: ">= 0.85", or ">= 0.85 if measured" if the metric may be missing',
    )
    retries: int = Field(0, ge=0, le=20)
    retry_delay: Duration = Field(
        1.0, description="delay before the first retry; doubles each time"
    )
    timeout: Duration | None = Field(
        None,
        description="time limit of an attempt, such as 30m; ten times as long under emulation. The whole "
        "process tree is then killed",
    )
    resources: Resources = Resources()
    env: Mapping[EnvName, EnvValue] = Field(
        default_factory=dict, description="environment variables of the stage"
    )
    pass_env: tuple[EnvName, ...] = Field(
        (),
        description="names of variables to pass on from the environment of run.py, if they are set; "
        "their values are never recorded",
    )

    @property
    def references(self) -> list[str]:
        """Return everything that the inputs may read, including alternatives."""
        texts = self.inputs.values()
        return [one for text in texts for one in (text if isinstance(text, list) else [text])]

    @property
    def kinds(self) -> dict[str, Any]:
        """Return the stage's values under the keys of kinds; a valid stage has exactly one of these keys."""
        given = {key: getattr(self, key) for key in kind.KEYS}
        return {key: value for key, value in given.items() if value}


class BestJob(_Model):
    """The rule that chooses one job of a sweep's Pareto front as the best."""

    limits: Mapping[str, Rule] = Field(
        default_factory=dict,
        description='objective: "<= 20"; only jobs within all limits are considered',
    )
    prefer: str | None = Field(
        None,
        description="of these, the job with the best value of this objective; default: the first",
    )


class Objectives(_Model):
    """Several objectives at once; those that are maximised come first."""

    maximise: tuple[str, ...] | str = Field((), description="metrics of which more is better")
    minimise: tuple[str, ...] | str = Field((), description="metrics of which less is better")
    best: BestJob = Field(BestJob(), description="the rule that chooses the best job of a sweep")


def _form(value: object) -> str:
    """Return which type of objective is meant; errors then describe only that one."""
    return "[one]" if isinstance(value, str) else "[several]"


_Objective = Annotated[
    Annotated[str, Tag("[one]")] | Annotated[Objectives, Tag("[several]")], Discriminator(_form)
]


class UseCase(_Model):
    """A use case: parameters, assets, and a DAG of stages."""

    name: Name = Field(description="ASCII letters, digits and _; default: the file's name")
    description: str = ""
    params: Mapping[Name, ParamValue] = Field(
        default_factory=dict,
        description="plain values, lists of them, or a mapping, to which the command line can add keys: "
        "params.model.units=32",
    )
    assets: Mapping[Name, str | None] = Field(
        default_factory=dict, description="key: name in conf/asset, a path, or null"
    )
    objective: _Objective | None = Field(
        None,
        description="the metric that a sweep optimises, such as score.accuracy; or several metrics, as "
        "{maximise: score.accuracy, minimise: [benchmark.latency_median_ms]}",
    )
    task: Name | None = Field(
        None, description="the task of the packaged model: the name of a module in stages/tasks"
    )
    predict: str | None = Field(
        None, description="the stage that `predict` runs with the packaged model"
    )
    forget: str | None = Field(
        None, description="the stage that tells `forget` which artifacts have data of a person"
    )
    stages: Mapping[StageName, StageSpec] = Field(min_length=1)

    @property
    def objectives(self) -> dict[str, Direction | None]:
        """Return the objectives, the first one first; None: its gate or its name decides."""
        if self.objective is None or isinstance(self.objective, str):
            return {self.objective: None} if self.objective else {}
        more, less = map(listed_metrics, (self.objective.maximise, self.objective.minimise))
        found: dict[str, Direction | None] = dict.fromkeys(more, "maximise")
        return found | dict.fromkeys(less, "minimise")

    @property
    def best(self) -> BestJob:
        """Return the rule that chooses the best job of a sweep."""
        return self.objective.best if isinstance(self.objective, Objectives) else BestJob()


def listed_metrics(value: tuple[str, ...] | str) -> tuple[str, ...]:
    """Return the metrics of `maximise:` or `minimise:`, which may be a single one."""
    return (value,) if isinstance(value, str) else value


def read(data: Mapping[str, Any], where: str) -> tuple[UseCase | None, list[UserError]]:
    """Return the use case without its invalid parts, and all validation errors.

    The rest can then be checked, so that all mistakes of a file are reported at once. None: nothing is
    left to check.
    """
    data = _with_former_gates(data)
    try:
        return UseCase.model_validate(data), []
    except ValidationError as error:
        mistakes = explain_all(error, UseCase, where)
        rest = _without(data, [mistake["loc"] for mistake in error.errors(include_url=False)])
    try:
        return UseCase.model_validate(rest), mistakes
    except ValidationError:
        return None, mistakes


def _without(data: Mapping[str, Any], key_paths: Iterable[tuple[str | int, ...]]) -> dict[str, Any]:
    """Return a copy without the values at these key paths.

    A path may continue below a value, into the types that it might have had.
    """
    rest: dict[str, Any] = copy.deepcopy(dict(data))
    for key_path in key_paths:
        holder: Any = rest
        last: tuple[dict[str | int, Any], str | int] | None = None
        for key in key_path:
            if not isinstance(holder, dict) or key not in holder:
                break
            last, holder = (holder, key), holder[key]
        if last:
            del last[0][last[1]]
    return rest


def _with_former_gates(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Move gates that the use case still sets under a stage's former name to that stage."""
    stages = data.get("stages")
    if not isinstance(stages, Mapping):
        return data
    made = dict(stages)
    for name, spec in stages.items():
        former = spec.get("formerly") if isinstance(spec, Mapping) else None
        gates = stages.get(former) if isinstance(former, str) else None
        if isinstance(gates, Mapping) and set(gates) == {"require"}:
            made[name] = {**spec, "require": {**(spec.get("require") or {}), **gates["require"]}}
            del made[former]
    return {**data, "stages": made}
