"""Checks a whole use case against the stages' contracts, and makes its jobs.

Reports all mistakes at once; starts nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine import graph as graphs
from engine import kind, spelling, together
from engine.contract import REQUIRED, Contract, Declared, Parameter, unread
from engine.errors import UserError, did_you_mean
from engine.foreach import ALL, MARK, base_of, value_of
from engine.graph import Dag, Reference
from engine.objective_check import ObjectiveCheck
from engine.placement import Placement
from engine.plan import Job
from engine.signature import Library
from engine.spec import StageSpec, UseCase
from engine.wording import listed

NOTHING: Mapping[str, str] = {}
Placer = Callable[[StageSpec, Contract], Placement]


@dataclass(slots=True)
class Checked:
    """The jobs in a valid order, or the mistakes that prevent a run."""

    jobs: dict[str, Job] = field(default_factory=dict)
    graph: Dag = graphs.EMPTY
    mistakes: list[UserError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check(
    usecase: UseCase,
    library: Library,
    place: Placer,
    where: str,
    left_out: Mapping[str, str] = NOTHING,
) -> Checked:
    """Return the use case's jobs and warnings; raise an ExceptionGroup of every UserError found.

    left_out: stages that are checked but do not become jobs, each with the reason.
    """
    checking = _Checking(usecase, place, where, left_out)
    for name, spec in usecase.stages.items():
        checking.read(name, spec, library)
    result = Checked(mistakes=checking.mistakes)
    made = {name: checking.job(name, spec) for name, spec in usecase.stages.items()}
    jobs = {name: job for name, job in made.items() if name not in left_out}
    result.graph = graphs.build(jobs, _edges(jobs))
    result.mistakes += graphs.cycles(result.graph, where)
    wanted = ObjectiveCheck(usecase, checking.contracts, left_out, f"{where}: objective")
    wanted.run()
    result.mistakes += wanted.mistakes
    if result.mistakes:
        raise ExceptionGroup("the use case is invalid", result.mistakes)
    result.jobs = {name: jobs[name] for name in graphs.order(result.graph)}
    result.warnings += [*wanted.warnings, *_unused(jobs, usecase)]
    return result


def contract_of(spec: StageSpec, library: Library, where: str) -> Contract:
    """Return the stage's contract; raise an ExceptionGroup of every UserError found."""
    if len(spec.kinds) != 1:
        what = f"a stage needs exactly one of {listed([repr(key) for key in kind.KEYS])}"
        fix = "write 'uses: stages.<domain>.<stage>'"
        raise ExceptionGroup("the stage is invalid", [UserError(where, what, fix)])
    return kind.of(next(iter(spec.kinds))).contract(_declared(spec, where), library)


def _declared(spec: StageSpec, where: str) -> Declared:
    outputs = [word.partition(".") for word in spec.outputs]
    return Declared(
        value=next(iter(spec.kinds.values()), ""),
        inputs=tuple(spec.inputs),
        outputs=tuple(name for name, _, _ in outputs),
        suffixes={name: dot + suffix for name, dot, suffix in outputs if dot},
        params=spec.params,
        pass_env=spec.pass_env,
        where=where,
    )


@dataclass(slots=True)
class _Checking:
    """One use case, and the results of checking it so far."""

    usecase: UseCase
    place: Placer
    where: str
    left_out: Mapping[str, str]
    contracts: dict[str, Contract] = field(default_factory=dict)
    open_ended: set[str] = field(default_factory=set)  # stages whose contract cannot be read
    mistakes: list[UserError] = field(default_factory=list)

    def read(self, name: str, spec: StageSpec, library: Library) -> None:
        """Read the stage's contract, against which other stages are checked."""
        where = f"{self.where}: stages.{name}"
        try:
            self.contracts[name] = contract_of(spec, library, where)
        except* UserError as found:
            self.mistakes += [one for one in found.exceptions if isinstance(one, UserError)]
            self.contracts[name] = unread(_declared(spec, where))
            self.open_ended.add(name)

    def job(self, name: str, spec: StageSpec) -> Job:
        """Return the stage's job, without its invalid parts."""
        contract = self.contracts[name]
        inputs, params = self._inputs(name, spec), self._params(name, spec)
        self._gates(name, spec)
        if name not in self.left_out:
            found = together.Inputs(
                stage=name,
                spec=spec,
                contract=contract,
                found=inputs,
                usecase=self.usecase,
                left_out=self.left_out,
                where=self.where,
            )
            self.mistakes += found.mistakes()
        return Job(name, spec, contract, inputs, contract.outputs, params, self._placed(name, spec))

    def _inputs(self, name: str, spec: StageSpec) -> dict[str, Reference | None]:
        contract = self.contracts[name]
        found: dict[str, Reference | None] = dict.fromkeys(contract.inputs)
        for key, text in spec.inputs.items():
            location = f"{self.where}: stages.{name}.inputs.{key}"
            if key not in contract.inputs:
                what = f"{contract.subject} has no input '{key}'"
                self.mistakes.append(UserError(location, what, did_you_mean(key, contract.inputs)))
                continue
            try:
                if isinstance(text, list):
                    found[key] = self._first_of(name, key, text)
                else:
                    found[key] = self._input(name, key, text)
            except* UserError as mistakes:
                self._add(mistakes)
        for key, is_required in contract.inputs.items():
            if is_required and key not in spec.inputs:
                what = f"{contract.subject} needs the input '{key}'"
                fix = f"add '{key}: stage.output' or '{key}: asset:name'"
                self.mistakes.append(UserError(f"{self.where}: stages.{name}.inputs", what, fix))
        return found

    def _add(self, found: ExceptionGroup[UserError]) -> None:
        """Add mistakes, one per location: several stages may lack the same asset."""
        known = {one.where for one in self.mistakes}
        new = [one for one in found.exceptions if isinstance(one, UserError)]
        self.mistakes += [one for one in new if one.where not in known]

    def _first_of(self, name: str, key: str, texts: Sequence[str]) -> Reference | None:
        """Return the first alternative that the plan contains; None if it contains none and the input is
        optional. Each alternative must name something that exists.
        """
        location = f"{self.where}: stages.{name}.inputs.{key}"
        mistakes: list[Exception] = []
        refs: list[Reference] = []
        for at, text in enumerate(texts):
            try:
                refs.append(self._resolved(text, f"{location}.{at}"))
            except UserError as mistake:
                mistakes.append(mistake)
        if not texts:
            mistakes.append(UserError(location, "the list is empty", "write stage.output"))
        if mistakes:
            raise ExceptionGroup("the input is invalid", mistakes)
        if found := next(filter(None, map(self._as_planned, refs)), None):
            return found
        if name in self.left_out or not self.contracts[name].inputs[key]:
            return None
        what = f"the plan contains none of {listed(texts)}"
        fix = "make the input optional (In | None), or add an alternative that is always planned"
        raise UserError(location, what, fix)

    def _as_planned(self, ref: Reference) -> Reference | None:
        """Return the reference, reduced to what the plan contains, or None."""
        if ref.stage is None:
            return ref if self.usecase.assets[ref.name] is not None else None
        if not ref.each:
            return None if ref.stage in self.left_out else ref
        each = tuple(value for value, stage in ref.members.items() if stage not in self.left_out)
        return replace(ref, each=each) if each else None

    def _input(self, name: str, key: str, text: str) -> Reference | None:
        """Return what the input reads; None for an optional one that the plan does not contain."""
        location = f"{self.where}: stages.{name}.inputs.{key}"
        ref = self._resolved(text, location)
        found = self._as_planned(ref)
        if found or name in self.left_out or not self.contracts[name].inputs[key]:
            return found
        if ref.stage is None:
            raise UserError(
                f"{self.where}: assets.{ref.name}",
                f"the stage '{name}' needs this asset, but none is given",
                f"write assets.{ref.name}=NAME_OR_PATH",
            )
        gone = ref.stages[0]
        raise UserError(
            location,
            f"'{gone}' is left out: {self.left_out[gone]}",
            f"make the input optional (In | None), or give '{name}' the same 'when'",
        )

    def _resolved(self, text: str, location: str) -> Reference:
        """Return the reference if it names something that exists."""
        ref = graphs.reference(text)
        made = [
            f"{stage}.{output}"
            for stage, found in self.contracts.items()
            for output in found.outputs
        ]
        if ref is None:
            fix = did_you_mean(text, made, "write stage.output, or asset:key")
            raise UserError(location, f"'{text}' is not a reference", fix)
        if ref.stage is None:
            if ref.name not in self.usecase.assets:
                fix = did_you_mean(text, [f"asset:{key}" for key in self.usecase.assets])
                raise UserError(location, f"there is no asset '{ref.name}'", fix)
            return ref
        if ref.stage in self.open_ended or str(ref) in made:
            return ref
        return self._folder(ref, location, made)

    def _folder(self, ref: Reference, location: str, made: Sequence[str]) -> Reference:
        """Return the reference to the outputs of all stages of a foreach, if there are any."""
        base, what = base_of(str(ref.stage)), f"no stage makes '{ref}'"
        members = [name for name in self.contracts if MARK in name and base_of(name) == base]
        makers = [
            name for name in members if name in self.open_ended or f"{name}.{ref.name}" in made
        ]
        if str(ref.stage).endswith(ALL) and base in self.contracts:
            raise UserError(location, f"'{base}' has no foreach", f"write {base}.{ref.name}")
        if ref.stage == base and makers:
            what = f"'{base}' has a foreach, so there is one '{ref.name}' per value"
            raise UserError(
                location, what, f"write {base}{ALL}.{ref.name}, or {makers[0]}.{ref.name}"
            )
        if str(ref.stage).endswith(ALL) and members and members == makers:
            return replace(ref, each=tuple(map(value_of, members)))
        folders = [f"{base_of(one)}{ALL}{one[one.rindex('.') :]}" for one in made if MARK in one]
        raise UserError(location, what, did_you_mean(str(ref), [*made, *folders]))

    def _params(self, name: str, spec: StageSpec) -> dict[str, Any]:
        contract, location = self.contracts[name], f"{self.where}: stages.{name}.params"
        for key, value in spec.params.items():
            if key not in contract.params:
                what = f"{contract.subject} has no parameter '{key}'"
                self.mistakes.append(
                    UserError(f"{location}.{key}", what, did_you_mean(key, contract.params))
                )
            elif why := contract.params[key].refusal(value):
                what, fix = f"{spelling.shown(value)} {why}", _fix(contract.params[key], value)
                self.mistakes.append(UserError(f"{location}.{key}", what, fix))
        for key, parameter in contract.params.items():
            if key not in spec.params and parameter.default is REQUIRED:
                what = f"{contract.subject} needs the parameter '{key}'"
                self.mistakes.append(
                    UserError(location, what, f"add '{key}: <{parameter.described}>'")
                )
        return {key: _value(spec.params, key, one) for key, one in contract.params.items()}

    def _gates(self, name: str, spec: StageSpec) -> None:
        contract = self.contracts[name]
        for metric in spec.require if contract.metrics is not None else ():
            if metric not in (contract.metrics or ()):
                location = f"{self.where}: stages.{name}.require.{metric}"
                what = f"{contract.subject} returns no metric '{metric}'"
                self.mistakes.append(
                    UserError(location, what, did_you_mean(metric, contract.metrics or ()))
                )

    def _placed(self, name: str, spec: StageSpec) -> Placement:
        if name in self.left_out:
            return Placement("", False, "")
        try:
            return self.place(spec, self.contracts[name])
        except UserError as mistake:
            is_key = mistake.where.partition(".")[0] in StageSpec.model_fields
            key = mistake.where if is_key else "runs_on"
            where = f"{self.where}: stages.{name}.{key}"
            self.mistakes.append(UserError(where, mistake.what, mistake.fix))
            return Placement("", False, "")


def _value(given: Mapping[str, Any], key: str, parameter: Parameter) -> Any:
    """Return the parameter's value; convert a whole number to float if the parameter is one."""
    value = given.get(key, parameter.default)
    return float(value) if parameter.type == "float" and type(value) is int else value


def _fix(parameter: Parameter, value: object) -> str:
    """Return the fix for a value that the parameter refuses."""
    return spelling.advice(value, parameter.wanted, lambda other: parameter.refusal(other) is None)


def _edges(jobs: Mapping[str, Job]) -> list[tuple[str, str, str]]:
    return [
        (stage, name, key)
        for name, job in jobs.items()
        for key, ref in job.inputs.items()
        for stage in (ref.stages if ref else ())
        if stage in jobs
    ]


def _unused(jobs: Mapping[str, Job], usecase: UseCase) -> Iterator[str]:
    """Yield what no stage reads: assets always, outputs only if others of the same stage are read."""
    read = {text for spec in usecase.stages.values() for text in spec.references}
    for key, value in usecase.assets.items():
        if value is not None and f"asset:{key}" not in read:
            yield f"no stage reads assets.{key}"
    yield from _unread_outputs(jobs)


def _unread_outputs(jobs: Mapping[str, Job]) -> Iterator[str]:
    refs = [ref for job in jobs.values() for ref in job.inputs.values() if ref]
    read = {f"{stage}.{ref.name}" for ref in refs for stage in ref.stages}
    for name, job in jobs.items():
        needed = [one for one in job.outputs if one not in job.contract.extra]
        made: Sequence[str] = [f"{name}.{output}" for output in needed]
        unread_ones = [one for one in made if one not in read]
        if unread_ones and len(unread_ones) < len(made):
            yield f"no stage reads {', '.join(unread_ones)}"
