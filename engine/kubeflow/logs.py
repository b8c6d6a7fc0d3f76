"""Brings the logs of pods to the run's folder: while a task runs, and when it has ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine import handles
from engine.kubeflow.client import Client

MOST_MISSES = 3  # after which a pod's log is no longer asked for while it runs
LIVE_MOST_BYTES = (
    2_000_000  # after which the rest is copied at the end: the API sends logs from their start
)
# Argo names a pod after its node and the node's template; the API gives the name of the node only
_TEMPLATES = ("system-container-impl", "retry-system-container-impl")


@dataclass(slots=True)
class _Pod:
    """One pod's log, as far as it was copied."""

    name: str = ""  # under which the server has its log
    copied_bytes: int = 0
    misses: int = 0


@dataclass(slots=True)
class Logs:
    """The logs of one run of the cluster, copied to <folder>/<stage>.log."""

    client: Client
    run_id: str
    folder: Path
    _pods: dict[tuple[str, str], _Pod] = field(default_factory=dict)  # stage, pod

    def poll(self, stage: str, pod: str) -> None:
        """Copy what is new, if the server has the log."""
        known = self._pods.setdefault((stage, pod), _Pod())
        if known.misses < MOST_MISSES and known.copied_bytes < LIVE_MOST_BYTES:
            self._copy(stage, pod, known, self.folder / f"{stage}.log")

    def finish(
        self, stage: str, pod: str | None, log: Path, stored: Callable[[], str | None]
    ) -> str:
        """Copy the rest of a log, and return all of it; stored: gives the log if the server has none."""
        text = None
        if pod is not None:
            text = self._copy(stage, pod, self._pods.setdefault((stage, pod), _Pod()), log)
        if text is not None:
            return text
        found = stored() or ""
        if found:
            handles.append(log, found.encode(errors="replace"))
        return found

    def _copy(self, stage: str, pod: str, known: _Pod, log: Path) -> str | None:
        text = self._read(pod, known)
        if text is None:
            known.misses += 1
            return None
        data = text.encode(errors="replace")
        log.parent.mkdir(exist_ok=True)
        handles.append(log, data[known.copied_bytes :])
        known.copied_bytes = max(known.copied_bytes, len(data))
        return text

    def _read(self, pod: str, known: _Pod) -> str | None:
        for name in [known.name] if known.name else _pod_names(pod):
            text = self.client.log(self.run_id, name)
            if text is not None:
                known.name = name
                return text
        return None


def _pod_names(node: str) -> list[str]:
    """Return the names that the pod of a node may have."""
    workflow, _, number = node.rpartition("-")
    return [node, *(f"{workflow}-{template}-{number}" for template in _TEMPLATES if workflow)]
