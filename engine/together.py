"""Optional inputs that are useful only together with others: a stage's file lists them as TOGETHER. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine import graph as graphs
from engine.contract import Contract
from engine.errors import UserError
from engine.foreach import base_of
from engine.graph import Reference
from engine.spec import StageSpec, UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The inputs of one stage, and what decides whether the plan contains them."""

    stage: str
    spec: StageSpec
    contract: Contract
    found: Mapping[str, Reference | None]  # as far as the plan contains them
    usecase: UseCase
    left_out: Mapping[str, str]  # the stages that are not planned, each with the reason
    where: str  # the use case's file, for messages

    def mistakes(self) -> Iterator[UserError]:
        """Yield a mistake for each missing input without which a given one is useless."""
        for key, others in self.contract.together.items():
            if given := self.found.get(key):
                for other in others:
                    if self.found.get(other) is None:
                        yield from self._missing(key, given, other)

    def _missing(self, key: str, given: Reference, other: str) -> Iterator[UserError]:
        """Yield why the other input is missing; nothing if its reference is invalid, as that is reported."""
        name = f"stages.{self.stage}.inputs.{key}" if given.stage else f"assets.{given.name}"
        undo = f"remove {name}" if given.stage else f"write {name}=null"
        if other not in self.spec.inputs:
            what = f"{self.contract.subject} needs the input '{other}' together with '{key}'"
            fix = f"add '{other}: stage.output' or '{other}: asset:name'"
            yield UserError(f"{self.where}: stages.{self.stage}.inputs", what, fix)
        elif asset := self._missing_asset(other):
            what = f"the stage '{self.stage}' needs this asset together with {name}"
            fix = f"write assets.{asset}=NAME_OR_PATH, or {undo}"
            yield UserError(f"{self.where}: assets.{asset}", what, fix)
        elif gone := self._left_out(other):
            what = (
                f"it has no effect without the stage '{gone}', which this run skips: "
                f"{self.left_out[gone]}"
            )
            yield UserError(f"{self.where}: {name}", what, f"change what skips '{gone}', or {undo}")

    def _missing_asset(self, key: str) -> str | None:
        """Return the asset that the input names, if none is given."""
        named = [ref.name for ref in self._references(key) if ref.stage is None]
        return next((one for one in named if self.usecase.assets.get(one, "") is None), None)

    def _left_out(self, key: str) -> str | None:
        """Return the stage that the input names, or one of its foreach, if it is left out."""
        bases = {base_of(ref.stage) for ref in self._references(key) if ref.stage}
        return next((one for one in self.left_out if base_of(one) in bases), None)

    def _references(self, key: str) -> list[Reference]:
        text = self.spec.inputs[key]
        texts = [text] if isinstance(text, str) else text
        return [ref for ref in map(graphs.reference, texts) if ref]
