"""The tasks of a written pipeline as nodes and edges, to be drawn. It may come from any program."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from engine.drawing.geometry import Edge, Node
from engine.errors import UserError

_KEYS = ("root", "components", "deploymentSpec")


def of_file(path: Path, where: str) -> tuple[list[Node], list[Edge]]:
    """Return the tasks in the file, and what passes between them; raise UserError if they are damaged."""
    spec = read(path, where)
    try:
        nodes, edges = of_pipeline(spec)
        _check_order(edges)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # keys of other types
        what = "its tasks do not have the form of Kubeflow Pipelines 2"
        raise UserError(where, what, "write it again, and do not edit it by hand") from None
    return nodes, edges


def read(path: Path, where: str) -> Mapping[str, Any]:
    """Return the specification in the file; raise UserError if it is not a pipeline."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with path.open(encoding="utf-8") as file:
            spec = next(iter(yaml.load_all(file, Loader=loader)), None)
    except OSError as error:
        fix = "write it with executor=kubeflow output=FILE.yaml"
        raise UserError(where, f"it cannot be read: {error.strerror}", fix) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        spec = None
    if not isinstance(spec, dict) or not all(isinstance(spec.get(key), dict) for key in _KEYS):
        what = "this is not a pipeline of Kubeflow Pipelines 2"
        raise UserError(where, what, "write one with executor=kubeflow output=FILE.yaml")
    return spec


def of_pipeline(spec: Mapping[str, Any]) -> tuple[list[Node], list[Edge]]:
    """Return the tasks, and the artifacts that pass between them."""
    tasks = spec["root"].get("dag", {}).get("tasks", {})
    names = _names(tasks)
    nodes = [_node(names[task], _executor(spec, one)) for task, one in tasks.items()]
    edges = [edge for task, one in tasks.items() for edge in _edges(task, one, names)]
    return nodes, edges


def _names(tasks: Mapping[str, Any]) -> dict[str, str]:
    """Return what each task is called; a name that several tasks have is replaced by the task's key."""
    shown = {task: str(one.get("taskInfo", {}).get("name", task)) for task, one in tasks.items()}
    counts = Counter([*shown.values(), *tasks])
    return {
        task: name if name == task or counts[name] == 1 else task for task, name in shown.items()
    }


def _check_order(edges: list[Edge]) -> None:
    """Raise ValueError if tasks wait for each other."""
    order: TopologicalSorter[str] = TopologicalSorter()
    for edge in edges:
        order.add(edge.target, edge.source)
    order.prepare()


def _executor(spec: Mapping[str, Any], task: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what executes the task; empty for a group of tasks."""
    component = spec["components"].get(task.get("componentRef", {}).get("name"), {})
    executors = spec["deploymentSpec"].get("executors", {})
    found: Mapping[str, Any] = executors.get(component.get("executorLabel"), {})
    return found


def _node(name: str, executor: Mapping[str, Any]) -> Node:
    if "importer" in executor:
        return Node(name, (_key(name),), "asset", is_asset=True)
    container = executor.get("container", {})
    image = str(container.get("image", "")).partition("@")[0].rpartition("/")[2]
    words = container.get("command", [])
    action, argument = (words[3], words[4]) if _is_step(words) else ("", "{}")
    told = json.loads(argument)
    if action == "gate":
        return Node(name, tuple(f"{metric} {rule}" for metric, rule in told.items()), "asset")
    lines = tuple(filter(None, (image and f"image {image}", told.get("measured_on"))))
    is_target = bool(told.get("files")) or told.get("measured_on") == "arm64 node"
    return Node(name, lines, runs_on="target" if is_target else "build")


def _is_step(words: list[str]) -> bool:
    return len(words) > 4 and words[2] == "engine.stage.kubeflow"


def _key(name: str) -> str:
    return name.removeprefix("asset:")


def _edges(task: str, one: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Edge]:
    """Yield an edge for each artifact that the task reads, and for each task that it only waits for."""
    reads = [
        read["taskOutputArtifact"]
        for read in one.get("inputs", {}).get("artifacts", {}).values()
        if "taskOutputArtifact" in read
    ]
    for read in reads:
        label = str(read["outputArtifactKey"])
        is_extra = label.startswith("stage-report") or label == "artifact"
        yield Edge(names[read["producerTask"]], names[task], "" if is_extra else label)
    producers = {read["producerTask"] for read in reads}
    for before in sorted({*one.get("dependentTasks", [])} - producers):
        yield Edge(names[before], names[task])
