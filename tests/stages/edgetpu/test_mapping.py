"""Several operators: if several parts could run on the Edge TPU, the first one does."""

import pytest

from stages.edgetpu._mapping import reasons
from stages.edgetpu._rules import NOT_SUPPORTED, ONE_SUBGRAPH
from stages.tflite.flatbuffer import Blob
from stages.tflite.schema import parse_model
from tests.tflite_models import G, Op, T, model


def mapped(*ops: tuple[str, int | tuple[int, ...]]) -> str:
    """Return a letter for each operator: T on the Edge TPU, c one that it cannot take, s a second part.

    An operator is its type and the tensors it reads: 0 is the model's input, n what the n-th operator (from
    1) makes.
    """
    made = [
        Op(kind, reads if isinstance(reads, tuple) else (reads,), (at,))
        for at, (kind, reads) in enumerate(ops, 1)
    ]
    graph = parse_model(Blob(model(G([T((1, 4))] * (len(ops) + 1), made)), "m")).subgraphs[0]
    return "".join(
        {None: "T", NOT_SUPPORTED: "c", ONE_SUBGRAPH: "s"}[reason] for reason in reasons(graph)
    )


R, E = "RELU", "ELU"


@pytest.mark.parametrize(
    ("expected", "ops"),
    [
        ("TTT", [(R, 0), (R, 1), (R, 2)]),
        ("Tcss", [(R, 0), (E, 1), (R, 2), (R, 3)]),
        ("cTT", [(E, 0), (R, 1), (R, 2)]),
        ("cTcs", [(E, 0), (R, 1), (E, 2), (R, 3)]),
        ("TcT", [(R, 0), (E, 1), (R, 1)]),
        ("TcTs", [(R, 0), (E, 1), (R, 1), ("ADD", (2, 3))]),
        ("Tcs", [(R, 0), (E, 0), ("ADD", (1, 2))]),
        ("cTT", [(E, 0), (R, 0), ("ADD", (1, 2))]),
        ("ccc", [(E, 0), (E, 1), (E, 2)]),
        ("", []),
    ],
    ids=[
        "all",
        "behind the CPU",
        "after the CPU",
        "between",
        "beside the CPU",
        "a join with the CPU",
        "a join with a later CPU operator",
        "a join with an earlier CPU operator",
        "none",
        "no operator",
    ],
)
def test_one_part_is_mapped(expected: str, ops: list[tuple[str, int | tuple[int, ...]]]) -> None:
    assert mapped(*ops) == expected


def test_a_graph_out_of_order_and_one_that_reads_itself_end() -> None:
    assert mapped((R, 2), (R, 1)) == "TT"
    assert mapped((R, 1)) == "T"


def test_of_many_alternating_parts_one_is_mapped() -> None:
    ops = [Op(R if at % 2 else E, (at,), (at + 1,)) for at in range(2_000)]
    graph = parse_model(Blob(model(G([T((1, 4))] * 2_001, ops)), "m")).subgraphs[0]
    assert reasons(graph).count(None) == 1
