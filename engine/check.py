"""Checks a use case whole, against the stages' signatures, and makes its jobs.

All mistakes at once, nothing started.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine import graph as graphs
from engine.errors import UserError, did_you_mean
from engine.graph import Reference
from engine.placement import Placement
from engine.plan import Job
from engine.signature import REQUIRED, Library, Signature
from engine.spec import StageSpec, UseCase

_PLACEHOLDER = re.compile(r"\{(\w+)(?:\.(\w+))?\}")


Place = Callable[[StageSpec, Signature | None], Placement]  # None: a command


@dataclass(slots=True)
class Checked:
    """The jobs in an order that may be run, or the mistakes that forbid it."""

    jobs: dict[str, Job] = field(default_factory=dict)
    graph: Any = None
    mistakes: list[UserError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check(usecase: UseCase, library: Library, place: Place, where: str) -> Checked:
    """Return the use case's jobs and warnings; raise an ExceptionGroup of every UserError found."""
    result = Checked()
    signatures = {
        name: _signature(name, spec, library, where, result) for name, spec in usecase.stages.items()
    }
    outputs = {name: _outputs(spec, signatures[name]) for name, spec in usecase.stages.items()}
    jobs: dict[str, Job] = {}
    for name, spec in usecase.stages.items():
        signature = signatures[name]
        inputs = _inputs(name, spec, signature, usecase, outputs, where, result)
        params = _params(name, spec, signature, where, result)
        _gates(name, spec, signature, where, result)
        jobs[name] = Job(
            name,
            spec,
            signature,
            inputs,
            outputs[name] or (),
            params,
            _placed(name, spec, signature, place, where, result),
        )
    result.graph = graphs.build(jobs, _edges(jobs, usecase))
    result.mistakes += graphs.cycles(result.graph, where)
    _objective(usecase, signatures, where, result)
    if result.mistakes:
        raise ExceptionGroup("the use case is wrong", result.mistakes)
    result.jobs = {name: jobs[name] for name in graphs.order(result.graph)}
    result.warnings += _unused(jobs, usecase)
    return result


def _outputs(spec: StageSpec, signature: Signature | None) -> tuple[str, ...] | None:
    if spec.command:
        return spec.outputs
    return signature.outputs if signature else None


def _placed(
    name: str, spec: StageSpec, signature: Signature | None, place: Place, where: str, result: Checked
) -> Placement:
    try:
        return place(spec, signature)
    except UserError as mistake:
        key = "image" if mistake.where == "image" else "runs_on"
        result.mistakes.append(UserError(f"{where}: stages.{name}.{key}", mistake.what, mistake.fix))
        return Placement("", False, "")


def _signature(name: str, spec: StageSpec, library: Library, where: str, result: Checked) -> Signature | None:
    key = f"{where}: stages.{name}"
    if bool(spec.uses) == bool(spec.command):
        result.mistakes.append(
            UserError(key, "a stage has one of 'uses' and 'command'", "write 'uses: stages.<domain>.<stage>'")
        )
        return None
    if spec.command:
        _command(spec, key, result)
        return None
    if spec.outputs:
        result.mistakes.append(
            UserError(f"{key}.outputs", "a function's outputs stand in its signature", "remove the key")
        )
    try:
        return library.signature(spec.uses or "", f"{key}.uses")
    except UserError as mistake:
        result.mistakes.append(mistake)
        return None


def _command(spec: StageSpec, key: str, result: Checked) -> None:
    known = {"inputs": spec.inputs, "outputs": spec.outputs, "params": spec.params}
    for word in spec.command or ():
        for group, name in _PLACEHOLDER.findall(word):
            if group not in known or name not in known[group]:
                choices = [f"{g}.{n}" for g, names in known.items() for n in names]
                result.mistakes.append(
                    UserError(
                        f"{key}.command",
                        f"there is no '{group}.{name}' to fill in",
                        did_you_mean(f"{group}.{name}", choices),
                    )
                )
    for name in sorted({name for name in spec.outputs if spec.outputs.count(name) > 1}):
        result.mistakes.append(
            UserError(f"{key}.outputs", f"'{name}' has two producers: it stands twice", "keep one of the two")
        )
    if not spec.outputs:
        result.mistakes.append(
            UserError(f"{key}.outputs", "a command says what it writes", "write 'outputs: [name]'")
        )


def _inputs(
    name: str,
    spec: StageSpec,
    signature: Signature | None,
    usecase: UseCase,
    outputs: Mapping[str, Sequence[str] | None],
    where: str,
    result: Checked,
) -> dict[str, Reference | None]:
    found: dict[str, Reference | None] = {}
    wanted = signature.inputs if signature else dict.fromkeys(spec.inputs, True)
    for key, text in spec.inputs.items():
        place = f"{where}: stages.{name}.inputs.{key}"
        if key not in wanted:
            result.mistakes.append(
                UserError(place, f"'{spec.uses}' has no input '{key}'", did_you_mean(key, wanted))
            )
            continue
        try:
            found[key] = _resolved(text, place, usecase, outputs)
        except UserError as mistake:
            result.mistakes.append(mistake)
            continue
        ref = found[key]
        if ref and ref.stage is None and usecase.assets[ref.name] is None:
            found[key] = None
            if wanted[key]:
                result.mistakes.append(
                    UserError(
                        f"{where}: assets.{ref.name}",
                        f"the stage '{name}' needs this asset, and it is null",
                        f"write assets.{ref.name}=NAME_OR_PATH",
                    )
                )
    for key, required in wanted.items():
        if required and key not in spec.inputs:
            result.mistakes.append(
                UserError(
                    f"{where}: stages.{name}.inputs",
                    f"'{spec.uses}' needs the input '{key}'",
                    f"add '{key}: stage.output' or '{key}: asset:name'",
                )
            )
        found.setdefault(key, None)
    return found


def _resolved(
    text: str, place: str, usecase: UseCase, outputs: Mapping[str, Sequence[str] | None]
) -> Reference:
    """Return the reference if it names something that exists."""
    ref = graphs.reference(text)
    made = [f"{stage}.{output}" for stage, names in outputs.items() for output in names or ()]
    if ref is None:
        raise UserError(
            place, f"'{text}' is no reference", did_you_mean(text, made, "write stage.output, or asset:key")
        )
    if ref.stage is None:
        if ref.name not in usecase.assets:
            raise UserError(
                place,
                f"there is no asset '{ref.name}'",
                did_you_mean(text, [f"asset:{key}" for key in usecase.assets]),
            )
        return ref
    if ref.stage in outputs and (outputs[ref.stage] is None or ref.name in (outputs[ref.stage] or ())):
        return ref
    raise UserError(place, f"no stage makes '{text}'", did_you_mean(text, made))


def _params(
    name: str, spec: StageSpec, signature: Signature | None, where: str, result: Checked
) -> dict[str, Any]:
    if signature is None:
        return dict(spec.params)
    for key, value in spec.params.items():
        place = f"{where}: stages.{name}.params.{key}"
        if key not in signature.params:
            result.mistakes.append(
                UserError(
                    place, f"'{spec.uses}' has no parameter '{key}'", did_you_mean(key, signature.params)
                )
            )
        elif not signature.params[key].accepts(value):
            annotation = signature.params[key].annotation
            result.mistakes.append(
                UserError(
                    place, f"{value!r} is not of the type {annotation}", f"write a value of type {annotation}"
                )
            )
    params = {}
    for key, parameter in signature.params.items():
        if key not in spec.params and parameter.default is REQUIRED:
            result.mistakes.append(
                UserError(
                    f"{where}: stages.{name}.params",
                    f"'{spec.uses}' needs the parameter '{key}'",
                    f"add '{key}: <{parameter.annotation}>'",
                )
            )
        value = spec.params.get(key, parameter.default)
        params[key] = float(value) if parameter.annotation == "float" and type(value) is int else value
    return params


def _gates(name: str, spec: StageSpec, signature: Signature | None, where: str, result: Checked) -> None:
    known = _metrics(spec, signature)
    if known is None:
        return
    for metric in spec.require:
        if metric not in known:
            does = f"'{spec.uses}'" if spec.uses else "a command"
            result.mistakes.append(
                UserError(
                    f"{where}: stages.{name}.require.{metric}",
                    f"{does} returns no metric '{metric}'",
                    did_you_mean(metric, known),
                )
            )


def _metrics(spec: StageSpec, signature: Signature | None) -> frozenset[str] | None:
    """Return the metrics that a stage may return: a command none; None where nobody can say."""
    if spec.command:
        return frozenset()
    return signature.metrics if signature else None


def _objective(
    usecase: UseCase, signatures: Mapping[str, Signature | None], where: str, result: Checked
) -> None:
    if usecase.objective is None:
        return
    returned = {name: _metrics(spec, signatures[name]) for name, spec in usecase.stages.items()}
    metrics = [f"{name}.{metric}" for name, known in returned.items() for metric in known or ()]
    open_ended = [name for name, known in returned.items() if known is None]
    if usecase.objective not in metrics and usecase.objective.split(".")[0] not in open_ended:
        result.mistakes.append(
            UserError(
                f"{where}: objective",
                f"no stage returns '{usecase.objective}'",
                did_you_mean(usecase.objective, metrics),
            )
        )


def _edges(jobs: Mapping[str, Job], usecase: UseCase) -> list[tuple[str, str, str]]:
    return [
        (ref.stage, name, key)
        for name, job in jobs.items()
        for key, ref in job.inputs.items()
        if ref and ref.stage and ref.stage in usecase.stages
    ]


def _unused(jobs: Mapping[str, Job], usecase: UseCase) -> list[str]:
    """Name what nobody reads: assets always, outputs where the stage has others that are read."""
    read = {str(ref) for job in jobs.values() for ref in job.inputs.values() if ref}
    warnings = [
        f"assets.{key} is read by no stage"
        for key, value in usecase.assets.items()
        if value is not None
        and f"asset:{key}" not in {text for spec in usecase.stages.values() for text in spec.inputs.values()}
    ]
    for name, job in jobs.items():
        unread = [output for output in job.outputs if f"{name}.{output}" not in read]
        if unread and len(unread) < len(job.outputs):
            warnings.append(f"no stage reads {', '.join(f'{name}.{output}' for output in unread)}")
    return warnings
