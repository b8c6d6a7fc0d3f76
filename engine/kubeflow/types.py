"""The types of artifacts that Kubeflow Pipelines shows differently, chosen by name and suffix. Pure."""

from collections.abc import Mapping

VERSION = "0.0.1"  # of the schemas of kfp 2
_MODELS = (".keras", ".tflite", ".h5", ".onnx")
_DATA = (".csv", ".parquet", ".npy", ".npz", ".sqlite")
_MODEL_NAMES = ("model", "models", "weights", "compiled", "package")
_DATA_NAMES = (
    "train",
    "test",
    "val",
    "data",
    "dataset",
    "recordings",
    "pictures",
    "faces",
    "table",
)


def of_output(name: str, suffix: str = "") -> str:
    """Return the type of an output or asset: `system.Model`, `.Dataset`, `.HTML` or `.Artifact`."""
    last = name.rpartition("_")[2]
    if suffix in (".html", ".htm"):
        return "system.HTML"
    if suffix in _MODELS or last in _MODEL_NAMES:
        return "system.Model"
    if suffix in _DATA or last in _DATA_NAMES:
        return "system.Dataset"
    return "system.Artifact"


def schema(title: str) -> Mapping[str, str]:
    """Return the type as the pipeline's specification writes it."""
    return {"schemaTitle": title, "schemaVersion": VERSION}
