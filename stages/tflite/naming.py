"""Names a model's inputs and outputs, with the same names for its float, int8 and compiled forms.

The names come from the model's signature if it has one, or else from its tensors, without TensorFlow's
additions; their order is that of the file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Sequence, Tuple

from engine.stage import StageError
from stages.tflite.schema import Model, Subgraph, read_model

_PREFIX, _SUFFIX = "serving_default_", ":0"
_DEFAULT_KEY = "serving_default"


@dataclass(frozen=True)
class Names:
    """The names of a model's inputs and outputs, in the order of its file."""

    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]


def names_in(path: Path) -> Names:
    """Return the names in a `.tflite` file; raise StageError if it is not one."""
    return names_of(read_model(path))


def names_of(model: Model) -> Names:
    """Return the names of the model's first subgraph, which is the one that runs."""
    graph = model.subgraphs[0]
    signatures = sorted(
        (one for one in model.signatures if one.subgraph == 0),
        key=lambda one: one.key != _DEFAULT_KEY,
    )
    inputs, outputs = (signatures[0].inputs, signatures[0].outputs) if signatures else ((), ())
    return Names(
        _names(graph, graph.inputs, inputs, "input"),
        _names(graph, graph.outputs, outputs, "output"),
    )


def names_of_twin(path: Path, compiled: Path) -> Names:
    """Return the names in `path`, in the order of a compiled form of the same model.

    A compiler may drop signatures, but keeps the tensors. StageError: the compiled form has
    other inputs or outputs.
    """
    model, twin = read_model(path), read_model(compiled)
    names, graphs = names_of(model), (model.subgraphs[0], twin.subgraphs[0])
    inputs = _paired(graphs, (graphs[0].inputs, graphs[1].inputs), names.inputs)
    outputs = _paired(graphs, (graphs[0].outputs, graphs[1].outputs), names.outputs)
    if inputs is None or outputs is None:
        raise StageError(
            f"{compiled.name} is not {path.name}, compiled: its inputs or outputs differ"
        )
    return Names(inputs, outputs)


def _names(
    graph: Subgraph, places: Sequence[int], named: Sequence[Tuple[str, int]], role: str
) -> Tuple[str, ...]:
    """Return one name for each tensor index; a tensor that serves as two outputs gets both names."""
    waiting: dict[int, list[str]] = {}
    for name, place in named:
        waiting.setdefault(place, []).append(name)
    found = [
        waiting[place].pop(0) if waiting.get(place) else _cleaned(graph.tensors[place].name)
        for place in places
    ]
    return _unique(name or f"{role}_{at}" for at, name in enumerate(found))


def _cleaned(name: str) -> str:
    name = name[len(_PREFIX) :] if name.startswith(_PREFIX) else name
    return name[: -len(_SUFFIX)] if name.endswith(_SUFFIX) else name


def _unique(names: Iterable[str]) -> Tuple[str, ...]:
    """Return the names, with a number appended to repeated ones."""
    found: list[str] = []
    seen: Counter[str] = Counter()
    for name in names:
        given = name
        while given in found:
            seen[name] += 1
            given = f"{name}_{seen[name]}"
        found.append(given)
    return tuple(found)


def _paired(
    graphs: Tuple[Subgraph, Subgraph],
    places: Tuple[Sequence[int], Sequence[int]],
    names: Sequence[str],
) -> Tuple[str, ...] | None:
    """Return the names in the twin's order, by the tensors' own names, or else by position."""
    ours, theirs = (
        [graph.tensors[place] for place in there] for graph, there in zip(graphs, places)
    )
    order = list(range(len(ours)))
    own = [tensor.name for tensor in ours]
    if len(set(own)) == len(own) and sorted(own) == sorted(tensor.name for tensor in theirs):
        order = [own.index(tensor.name) for tensor in theirs]
    same = len(ours) == len(theirs) and all(
        (ours[at].shape, ours[at].type) == (twin.shape, twin.type)
        for at, twin in zip(order, theirs)
    )
    return tuple(names[at] for at in order) if same else None
