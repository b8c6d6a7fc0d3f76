"""Where Kubeflow Pipelines puts a task's inputs and expects its outputs. Plain data."""

from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple


class Paths(NamedTuple):
    """The paths of one task."""

    inputs: Mapping[str, Path]
    entries: Mapping[Tuple[str, str], Path]  # (input, value of its foreach) -> path
    outputs: Mapping[str, Path]
    project: Optional[Path]
    report: Path
    metrics: Path
    executor: Mapping[str, Any]  # KFP's ExecutorInput
    keep: Optional[Path]

    def uri(self, output: str) -> str:
        """Return the URI of an output; empty if it has none."""
        return str(self._artifact(output).get("uri", ""))

    def with_metadata(self, metadata: Mapping[str, Mapping[str, Any]]) -> Dict[str, Any]:
        """Return KFP's ExecutorOutput: every output, some with metadata (output -> key -> value)."""
        return {
            "artifacts": {
                output: {
                    "artifacts": [
                        {**self._artifact(output), "metadata": dict(metadata.get(output, {}))}
                    ]
                }
                for output in self.executor.get("outputs", {}).get("artifacts", {})
            }
        }

    @property
    def executor_output(self) -> Optional[Path]:
        """Return the file in which KFP expects the ExecutorOutput; None if it names none."""
        file = self.executor.get("outputs", {}).get("outputFile")
        return Path(file) if file else None

    def _artifact(self, output: str) -> Mapping[str, Any]:
        found = self.executor.get("outputs", {}).get("artifacts", {}).get(output, {})
        return next(iter(found.get("artifacts", [])), {})
