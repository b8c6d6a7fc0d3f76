"""A packed model as an MLflow model: a pyfunc "from code" (no pickle) with the signature of its
tensors.

It is found by a tag before it is made, like a run.
"""

import importlib
import json
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_CODE = Path(__file__).with_name("pyfunc.py")
_RUNTIMES = ("ai_edge_litert", "tflite_runtime")
_SOURCE = "rpi.source_run_id"


def is_package(name: str, path: Path) -> bool:
    """True for the packed model that a use case ends in."""
    return name == "package" and main_model(path) is not None


def main_model(package: Path) -> str | None:
    """Return the file, from the package on, of the model that MLflow shows: the one in the role
    `model`, else of the first role.

    None if it is no package. Version 1 had one model.
    """
    try:
        manifest = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
        roles = manifest.get("models", {"model": {"int8": "model.tflite"}})
        forms = roles.get("model") or next(iter(roles.values()))
        name = str(forms.get("int8") or forms["float"])
    except (OSError, ValueError, LookupError, StopIteration, AttributeError):
        return None
    return name if (package / name).is_file() else None


def log(client: Any, experiment: str, mlflow_id: str, name: str, package: Path) -> str:
    """Log the package as a model of the run, ready to be registered, and return where MLflow keeps
    it.
    """
    from mlflow.entities import LoggedModelOutput

    found = client.search_logged_models(
        [experiment], f"tags.`{_SOURCE}` = '{mlflow_id}'", max_results=1
    )
    model = (
        found[0]
        if found
        else client.create_logged_model(experiment, name, mlflow_id, tags={_SOURCE: mlflow_id})
    )
    if str(model.status) != "READY":
        with tempfile.TemporaryDirectory() as folder:
            _save(model, mlflow_id, package, Path(folder) / "model")
            client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
        client.finalize_logged_model(model.model_id, "READY")
    outputs = client.get_run(mlflow_id).outputs
    if not any(output.model_id == model.model_id for output in outputs.model_outputs if outputs):
        client.log_outputs(
            mlflow_id, [LoggedModelOutput(model.model_id, 0)]
        )  # MLflow would list it twice
    client.set_tag(mlflow_id, "rpi.model_id", model.model_id)
    return str(model.artifact_location)


def _save(model: Any, mlflow_id: str, package: Path, folder: Path) -> None:
    import mlflow.pyfunc
    from mlflow.models import Model

    manifest = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
    main = main_model(package)
    assert main is not None
    mlflow.pyfunc.save_model(
        folder,
        mlflow_model=Model(run_id=mlflow_id, model_id=model.model_id),
        python_model=str(_CODE),
        artifacts={"package": str(package)},
        model_config={"model": main},
        signature=_signature(package / main),
        pip_requirements=_requirements(),  # given, so that MLflow does not go and look what the code imports
        metadata={"manifest": manifest},
    )


def _signature(path: Path) -> Any:
    """Return the model's tensors as MLflow's signature; null where no runtime is here to read them."""
    for runtime in _RUNTIMES:
        try:
            interpreter = importlib.import_module(f"{runtime}.interpreter").Interpreter(
                model_path=str(path)
            )
        except (ImportError, ValueError, RuntimeError):
            continue
        return _described(interpreter)
    return None


def _described(interpreter: Any) -> Any:
    import numpy
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def schema(tensors: list[dict[str, Any]]) -> Any:
        return Schema(
            [TensorSpec(numpy.dtype(t["dtype"]), _shape(t["shape"]), t["name"]) for t in tensors]
        )

    return ModelSignature(
        schema(interpreter.get_input_details()), schema(interpreter.get_output_details())
    )


def _shape(shape: Any) -> tuple[int, ...]:
    """Return the shape with a free batch: the pyfunc runs example by example where the model takes
    one.
    """
    return (-1, *(int(size) for size in shape[1:])) if len(shape) else (-1,)


def _requirements() -> list[str]:
    found = [f"mlflow=={version('mlflow')}", "numpy"]
    for name in ("ai-edge-litert", "tflite-runtime"):
        try:
            return [*found, f"{name}=={version(name)}"]
        except PackageNotFoundError:
            continue
    return [*found, "ai-edge-litert"]
