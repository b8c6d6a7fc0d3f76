"""The DAG of a use case: stages and the references between them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import networkx as nx

from engine.errors import UserError, did_you_mean
from engine.foreach import ALL, MARK, base_of


@dataclass(frozen=True, slots=True)
class Reference:
    """What an input names: `asset:key`, `stage.output`, or `stage@*.output`."""

    stage: str | None
    name: str
    each: tuple[str, ...] = ()  # of `stage@*`: the values of its foreach, each an entry of a folder

    @property
    def members(self) -> dict[str, str]:
        """Return the stages of `stage@*` by their values."""
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
    """Return the reference that the text writes, or None where it writes none."""
    if text.startswith("asset:"):
        return Reference(None, text.removeprefix("asset:"))
    stage, _, name = text.rpartition(".")  # a value of foreach may have dots
    return Reference(stage, name) if base_of(stage) and name and "." not in base_of(stage) else None


def build(stages: Iterable[str], edges: Iterable[tuple[str, str, str]]) -> "nx.DiGraph[str]":
    """Return the graph of stages; edges are (from, to, input)."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(stages)
    for source, sink, name in edges:
        graph.add_edge(source, sink)
        graph.edges[source, sink].setdefault("inputs", []).append(name)
    return graph


def cycles(graph: "nx.DiGraph[str]", where: str) -> list[UserError]:
    """Return a mistake for each knot of stages that wait for one another, spelt out stage by stage."""
    mistakes = []
    for knot in nx.strongly_connected_components(graph):
        first = min(knot)
        if len(knot) == 1 and not graph.has_edge(first, first):
            continue
        around = nx.find_cycle(graph.subgraph(knot), first)
        spelt = " -> ".join([edge[0] for edge in around] + [around[0][0]])
        name = graph.edges[around[-1]]["inputs"][0]
        mistakes.append(
            UserError(
                f"{where}: stages.{around[-1][1]}.inputs.{name}",
                f"these stages wait for one another: {spelt}",
                "take one of these inputs from an earlier stage",
            )
        )
    return mistakes


def order(graph: "nx.DiGraph[str]") -> list[str]:
    """Return the stages so that each comes after what it needs, in the order they were added where that is
    free.
    """
    position = {name: at for at, name in enumerate(graph)}
    return list(nx.lexicographical_topological_sort(graph, key=position.__getitem__))


def priorities(graph: "nx.DiGraph[str]", seconds: Mapping[str, float]) -> dict[str, float]:
    """Return for each stage the seconds of the longest path from its start to the end of the run."""
    longest: dict[str, float] = {}
    for name in reversed(order(graph)):
        longest[name] = seconds.get(name, 1.0) + max(
            (longest[after] for after in graph.successors(name)), default=0.0
        )
    return longest


def until(graph: "nx.DiGraph[str]", last: Iterable[str], where: str) -> set[str]:
    """Return these stages and all that they need; a stage with foreach stands for those of all its values."""
    kept: set[str] = set()
    for name in last:
        named = [one for one in graph if name.removesuffix(ALL) in (one, base_of(one))]
        if not named:
            raise UserError(where, f"there is no stage '{name}'", did_you_mean(name, graph))
        for one in named:
            kept |= {one} | nx.ancestors(graph, one)
    return kept


def descendants(graph: "nx.DiGraph[str]", stage: str) -> list[str]:
    """Return all that needs the stage, directly or not, in order."""
    after = nx.descendants(graph, stage)
    return [name for name in order(graph) if name in after]
