"""The DAG of a use case: stages and the references between them. Pure.

A fully cached run needs only the order, which the standard library provides. Everything else uses
networkx, imported on demand because its import takes as long as such a run.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from engine.errors import UserError, did_you_mean
from engine.foreach import ALL, MARK, base_of

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class Reference:
    """What an input names: `asset:key`, `stage.output`, or `stage@*.output`."""

    stage: str | None
    name: str
    each: tuple[
        str, ...
    ] = ()  # for `stage@*`: the values of its foreach, each an entry of the folder

    @property
    def members(self) -> dict[str, str]:
        """Return the stages of `stage@*` by value."""
        return {value: f"{base_of(str(self.stage))}{MARK}{value}" for value in self.each}

    @property
    def stages(self) -> tuple[str, ...]:
        """Return the stages whose outputs it reads."""
        if self.stage is None:
            return ()
        return tuple(self.members.values()) if self.each else (self.stage,)

    def __str__(self) -> str:
        return f"{self.stage}.{self.name}" if self.stage else f"asset:{self.name}"


def reference(text: str) -> Reference | None:
    """Return the reference in the text, or None if the text is not a reference."""
    if text.startswith("asset:"):
        return Reference(None, text.removeprefix("asset:"))
    stage, _, name = text.rpartition(".")  # a value of foreach may contain dots
    return Reference(stage, name) if base_of(stage) and name and "." not in base_of(stage) else None


@dataclass(frozen=True, slots=True)
class Dag:
    """Stages, and the inputs that each one takes from others."""

    inputs: Mapping[
        str, Mapping[str, Sequence[str]]
    ]  # stage -> stage that it needs -> names of the inputs
    successors: Mapping[str, Sequence[str]]  # stage -> stages that need it

    def __iter__(self) -> Iterator[str]:
        return iter(self.inputs)

    def __contains__(self, stage: object) -> bool:
        return stage in self.inputs

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Return each pair (stage, stage that needs it) once."""
        return [(source, stage) for stage, needed in self.inputs.items() for source in needed]

    def only(self, kept: Collection[str]) -> "Dag":
        """Return the graph of these stages, in the order of this one."""
        found = [
            (source, stage, name)
            for stage, needed in self.inputs.items()
            for source, names in needed.items()
            for name in names
        ]
        edges = [edge for edge in found if edge[0] in kept and edge[1] in kept]
        return build([stage for stage in self if stage in kept], edges)


EMPTY = Dag({}, {})


def build(stages: Iterable[str], edges: Iterable[tuple[str, str, str]]) -> Dag:
    """Return the graph of stages; edges are (from, to, input)."""
    inputs: dict[str, dict[str, list[str]]] = {stage: {} for stage in stages}
    successors: dict[str, list[str]] = {stage: [] for stage in inputs}
    for source, stage, name in edges:
        if source not in inputs[stage]:
            successors[source].append(stage)
        inputs[stage].setdefault(source, []).append(name)
    return Dag(inputs, successors)


def cycles(graph: Dag, where: str) -> list[UserError]:
    """Return a mistake for each group of stages that form a cycle, with the cycle spelt out."""
    try:
        TopologicalSorter(graph.inputs).prepare()
    except CycleError:
        return _spelt_out(graph, where)
    return []


def order(graph: Dag) -> list[str]:
    """Return the stages in topological order; ties keep the order in which they were added."""
    position = {stage: at for at, stage in enumerate(graph)}
    names = list(position)
    sorter = TopologicalSorter(graph.inputs)
    sorter.prepare()
    ready = [position[stage] for stage in sorter.get_ready()]
    heapq.heapify(ready)
    found = []
    while ready:
        found.append(names[heapq.heappop(ready)])
        sorter.done(found[-1])
        for stage in sorter.get_ready():
            heapq.heappush(ready, position[stage])
    return found


def generations(graph: Dag) -> dict[str, int]:
    """Return the number of stages before each stage on the longest path to it."""
    depth: dict[str, int] = {}
    for stage in order(graph):
        depth[stage] = max((depth[source] + 1 for source in graph.inputs[stage]), default=0)
    return depth


def priorities(graph: Dag, seconds: Mapping[str, float]) -> dict[str, float]:
    """Return the duration, in seconds, of the longest path from each stage's start to the run's end."""
    longest: dict[str, float] = {}
    for stage in reversed(order(graph)):
        after = max((longest[next_one] for next_one in graph.successors[stage]), default=0.0)
        longest[stage] = seconds.get(stage, 1.0) + after
    return longest


def until(graph: Dag, last: Iterable[str], where: str) -> set[str]:
    """Return these stages and all that they need; the name of a foreach means the stages of all its
    values.
    """
    import networkx

    kept: set[str] = set()
    for name in last:
        for one in named(graph, name, where):
            kept |= {one} | networkx.ancestors(_digraph(graph), one)
    return kept


def named(graph: Dag, name: str, where: str) -> list[str]:
    """Return the stages with this name: one, or those of all values of a foreach. Raise UserError if
    there is none.
    """
    found = [one for one in graph if name.removesuffix(ALL) in (one, base_of(one))]
    if not found:
        raise UserError(where, f"there is no stage '{name}'", did_you_mean(name, graph))
    return found


def descendants(graph: Dag, stage: str) -> list[str]:
    """Return all that needs the stage, directly or not, in order."""
    import networkx

    after = networkx.descendants(_digraph(graph), stage)
    return [name for name in order(graph) if name in after]


def _digraph(graph: Dag) -> "nx.DiGraph[str]":
    import networkx

    made: nx.DiGraph[str] = networkx.DiGraph()
    made.add_nodes_from(graph)
    made.add_edges_from(graph.edges)
    return made


def _spelt_out(graph: Dag, where: str) -> list[UserError]:
    import networkx

    made, mistakes = _digraph(graph), []
    for knot in networkx.strongly_connected_components(made):
        first = min(knot)
        if len(knot) == 1 and not made.has_edge(first, first):
            continue
        around = networkx.find_cycle(made.subgraph(knot), first)
        spelt = " -> ".join([edge[0] for edge in around] + [around[0][0]])
        source, stage = around[-1][:2]
        mistakes.append(
            UserError(
                f"{where}: stages.{stage}.inputs.{graph.inputs[stage][source][0]}",
                f"these stages depend on one another: {spelt}",
                "take one of these inputs from an earlier stage",
            )
        )
    return mistakes
