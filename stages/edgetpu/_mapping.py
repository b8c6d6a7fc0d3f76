"""Decides which operators of a graph run together on the Edge TPU: if several parts could, the compiler
uses the first one.
"""

from stages.edgetpu._rules import ONE_SUBGRAPH, own_reason
from stages.tflite.schema import Subgraph


def reasons(graph: Subgraph) -> list[str | None]:
    """Return, for each operator, why it runs on the CPU; None if it runs on the Edge TPU."""
    own = [own_reason(graph, operator) for operator in graph.operators]
    first = _first_part(graph, [reason is None for reason in own])
    return [reason or (None if at in first else ONE_SUBGRAPH) for at, reason in enumerate(own)]


def _first_part(graph: Subgraph, is_able: list[bool]) -> set[int]:
    """Return the first part of supported operators, as TFLite partitions a graph for a delegate
    (`PartitionGraphIntoIndependentNodeSubsets`).

    A part grows, in the graph's order, by every operator of its own kind whose inputs are ready. If the
    first part is for the CPU, it contains everything that can run before the Edge TPU; the next part is
    the Edge TPU's.
    """
    before = set() if is_able[:1] == [True] else _part(graph, is_able, False, set())
    return _part(graph, is_able, True, before)


def _part(graph: Subgraph, is_able: list[bool], kind: bool, done: set[int]) -> set[int]:
    """Return the operators of one kind that need only finished operators and one another.

    One pass suffices, because the operators are in order.
    """
    part: set[int] = set()
    waiting: set[int] = set()  # tensors that are produced after this part
    for at, operator in enumerate(graph.operators):
        if at in done:
            continue
        if is_able[at] == kind and waiting.isdisjoint(operator.inputs):
            part.add(at)
        else:
            waiting.update(operator.outputs)
    return part
