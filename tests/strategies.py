"""Shared hypothesis strategies: random DAGs of stages, and their use cases."""

from typing import Any

from hypothesis import strategies as st

Dag = dict[str, list[str]]  # stage -> the stages that it needs


@st.composite
def dags(draw: st.DrawFn, most: int = 8) -> Dag:
    """A DAG whose stages are in any order in the file, and each of which needs up to three others."""
    names = draw(st.permutations([f"s{at}" for at in range(draw(st.integers(1, most)))]))
    needs = {
        name: draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=3)) if at else []
        for at, name in enumerate(names)
    }
    return {name: needs[name] for name in draw(st.permutations(names))}


def stages(dag: Dag, **keys: Any) -> dict[str, Any]:
    """The stages of a use case with these edges; each writes `data`."""
    return {
        name: {
            "command": ["make", name, "{outputs.data}"],
            "outputs": ["data"],
            "inputs": {need: f"{need}.data" for need in needs},
            **keys,
        }
        for name, needs in dag.items()
    }


def ancestors(dag: Dag, stage: str) -> set[str]:
    """Everything that a stage needs, directly or indirectly."""
    return {one for need in dag[stage] for one in {need} | ancestors(dag, need)}
