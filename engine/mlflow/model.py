"""A packed model as an MLflow model: a pyfunc "from code" (no pickle) with the signature of its
tensors.

Like a run, it is searched for by a tag before it is created.
"""

import importlib
import json
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

from engine.mlflow.entries import Point, text

ID_TAG = "rpi.model_id"  # a tag of the runs that a model belongs to
_CODE = Path(__file__).with_name("pyfunc.py")
_RUNTIMES = ("ai_edge_litert", "tflite_runtime")
_SOURCE = "rpi.source_run_id"  # MLflow's id of the stage's run, by which the model is found again
_DESCRIPTION = "mlflow.note.content"
_TYPE = "TensorFlow Lite"
_MOST_PARAMS = 100  # in the request that creates a model
_METRICS_PER_CALL = 800  # MLflow accepts 1000 items in a call


@dataclass(frozen=True, slots=True)
class About:
    """The page of a model, except for what the package itself provides."""

    name: str
    run: str  # MLflow's id of the parent run: its list of runs shows a model only there
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def is_package(name: str, path: Path) -> bool:
    """Return whether the output is the packed model of a use case."""
    return name == "package" and main_model(path) is not None


def main_model(package: Path) -> str | None:
    """Return the path, in the package, of the model that MLflow shows: the one with the role
    `model`, else that of the first role.

    None if the folder is not a package. Packages of version 1 had one model.
    """
    try:
        manifest = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
        roles = manifest.get("models", {"model": {"int8": "model.tflite"}})
        forms = roles.get("model") or next(iter(roles.values()))
        name = str(forms.get("int8") or forms["float"])
    except (OSError, ValueError, LookupError, StopIteration, AttributeError):
        return None
    return name if (package / name).is_file() else None


def log(client: Any, experiment: str, mlflow_id: str, about: About, package: Path) -> str:
    """Log the package as a model of the run, ready to be registered, and return its location."""
    found = client.search_logged_models(
        [experiment], f"tags.`{_SOURCE}` = '{mlflow_id}'", max_results=1
    )
    model = found[0] if found else _create(client, experiment, mlflow_id, about, package)
    _log_params(client, model.model_id, about.params)
    if str(model.status) != "READY":
        with tempfile.TemporaryDirectory() as folder:
            _save(model, about.run, package, Path(folder) / "model")
            client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
        client.finalize_logged_model(model.model_id, "READY")
    link(client, mlflow_id, model.model_id)
    return str(model.artifact_location)


def is_there(client: Any, model_id: str) -> bool:
    """Return whether MLflow has the model; a user may have deleted it."""
    from mlflow.exceptions import MlflowException

    try:
        client.get_logged_model(model_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return True


def link(client: Any, mlflow_id: str, model_id: str) -> None:
    """Add the model to the page of the run, once, because MLflow would list it twice."""
    from mlflow.entities import LoggedModelOutput

    outputs = client.get_run(mlflow_id).outputs
    if not any(output.model_id == model_id for output in outputs.model_outputs if outputs):
        client.log_outputs(mlflow_id, [LoggedModelOutput(model_id, 0)])
    client.set_tag(mlflow_id, ID_TAG, model_id)


def measured(client: Any, model_id: str, mlflow_id: str, points: Iterable[Point]) -> None:
    """Show the metrics of a run, with their data set, on the page of its model.

    The points equal those of the run, so MLflow, which logs them to the run again, adds nothing.
    """
    from mlflow.entities import Metric

    name, digest = _main_dataset(client.get_run(mlflow_id))
    metrics = [Metric(*one, model_id, dataset_name=name, dataset_digest=digest) for one in points]
    for at in range(0, len(metrics), _METRICS_PER_CALL):
        client.log_batch(mlflow_id, metrics[at : at + _METRICS_PER_CALL])


def describe(client: Any, model_id: str, card: Path) -> None:
    """Show the run's model card on the page of the model; it says more than the package's card."""
    if words := _read(card):
        client.set_logged_model_tags(model_id, {_DESCRIPTION: text(words)})


def _main_dataset(run: Any) -> tuple[str | None, str | None]:
    """Return name and digest of the first of the run's data sets; None if it has none."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return next(((one.dataset.name, one.dataset.digest) for one in inputs), (None, None))


def _create(client: Any, experiment: str, mlflow_id: str, about: About, package: Path) -> Any:
    tags = {**about.tags, _DESCRIPTION: text(_read(package / "card.md")), _SOURCE: mlflow_id}
    params = dict(islice(about.params.items(), _MOST_PARAMS))
    return client.create_logged_model(
        experiment, about.name, about.run, tags=tags, params=params, model_type=_TYPE
    )


def _log_params(client: Any, model_id: str, params: Mapping[str, str]) -> None:
    """Log the parameters that did not fit into the request that created the model. MLflow refuses
    existing ones.
    """
    if len(params) > _MOST_PARAMS:
        known = client.get_logged_model(model_id).params
        if missing := {name: value for name, value in params.items() if name not in known}:
            client.log_model_params(model_id, missing)


def _read(card: Path) -> str:
    """Return a model card, which is Markdown; empty if there is none."""
    try:
        return card.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _save(model: Any, run: str, package: Path, folder: Path) -> None:
    import mlflow.pyfunc
    from mlflow.models import Model

    manifest = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
    main = main_model(package)
    assert main is not None
    with warnings.catch_warnings(record=True):  # for example, that there is no input example
        mlflow.pyfunc.save_model(
            folder,
            mlflow_model=Model(run_id=run, model_id=model.model_id),
            python_model=str(_CODE),
            artifacts={"package": str(package)},
            model_config={"model": main},
            signature=_signature(package / main),
            pip_requirements=_requirements(),  # otherwise MLflow infers them from the code's imports
            metadata={"manifest": manifest},
        )


def _signature(path: Path) -> Any:
    """Return the model's tensors as MLflow's signature; None if no runtime is installed to read
    them.
    """
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
    """Return the shape with a free batch size: the pyfunc runs one example at a time."""
    return (-1, *(int(size) for size in shape[1:])) if len(shape) else (-1,)


def _requirements() -> list[str]:
    found = [f"mlflow=={version('mlflow')}", "numpy"]
    for name in ("ai-edge-litert", "tflite-runtime"):
        try:
            return [*found, f"{name}=={version(name)}"]
        except PackageNotFoundError:
            continue
    return [*found, "ai-edge-litert"]
