"""The DAG of a use case: stages and the references between them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import networkx as nx

from engine.errors import UserError, did_you_mean


@dataclass(frozen=True, slots=True)
class Reference:
    """What an input names: `asset:key`, or `stage.output`."""

    stage: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.stage}.{self.name}" if self.stage else f"asset:{self.name}"


def reference(text: str) -> Reference | None:
    """Return the reference that the text writes, or None where it writes none."""
    if text.startswith("asset:"):
        return Reference(None, text.removeprefix("asset:"))
    stage, dot, name = text.partition(".")
    return Reference(stage, name) if dot and stage and name and "." not in name else None


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
    """Return these stages and all that they need."""
    kept: set[str] = set()
    for name in last:
        if name not in graph:
            raise UserError(where, f"there is no stage '{name}'", did_you_mean(name, graph))
        kept |= {name} | nx.ancestors(graph, name)
    return kept


def descendants(graph: "nx.DiGraph[str]", stage: str) -> list[str]:
    """Return all that needs the stage, directly or not, in order."""
    after = nx.descendants(graph, stage)
    return [name for name in order(graph) if name in after]
