"""The stage that judges an exported model without a truth: by how much int8 differs from float."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, measured_on, note
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class FidelityMetrics(TypedDict):
    """How much of the float model is left.

    r2: the coefficient of determination, at most 1: what is left of the variance over the examples
        when the difference is taken away; of the worst output
    same_highest: the share of examples with the same highest value in each output, 0 to 1. Of
        classes that is the same answer; of other outputs, which may tie, it says little
    mean_difference, max_difference: of a value, in parts of the float outputs' range
    """

    r2: float
    same_highest: float
    mean_difference: float
    max_difference: float
    test_examples: float


def fidelity(
    test: In, outputs: In, reference: In, report: Annotated[Out, Suffix(".json")]
) -> FidelityMetrics:
    """Compare the target's int8 outputs with the build machine's float outputs.

    test: a part; outputs: what `infer` wrote; reference: what `reference` wrote
    report: JSON: the metrics, where they were measured, the answers that `verify` expects of the raw
            items, and sections of the model card

    A model that came ready as int8 has no float form: it is compared with itself on the build
    machine.
    """
    import json

    import numpy as np

    from stages.tflite import outputs as raw_outputs

    there, original = raw_outputs.read(outputs), raw_outputs.read(reference / "float")
    here, floating = there.values(), original.values()
    measured_on(there.about["taken"])
    kept, same, parts = [], [], []
    for _, values in _matched(here, floating).items():
        flat, wanted = (one.reshape(len(one), -1) for one in values)
        kept.append(_r2(flat, wanted))
        same.append(flat.argmax(1) == wanted.argmax(1))
        parts.append(np.abs(flat - wanted).ravel() / max(float(np.ptp(wanted)), 1e-9))
    differences = np.concatenate(parts)
    metrics = FidelityMetrics(
        r2=min(kept),
        same_highest=float(np.all(same, axis=0).mean()),
        mean_difference=float(differences.mean()),
        max_difference=float(differences.max()),
        test_examples=float(len(same[0])),
    )
    figures = _figures(metrics, there.about["model_sha256"] == original.about["model_sha256"])
    about = {
        **{name: there.about[name] for name in ("runtime", "accelerator", "taken")},
        **metrics,
        "answers": _answers(test, here),
        "card": {"Figures": figures, "Limits": "Nothing is known of its accuracy."},
    }
    note(figures)
    report.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return metrics


def _r2(values: "NDArray[np.float32]", wanted: "NDArray[np.float32]") -> float:
    """Return 1 - (squared differences) / (squared deviations of each value from its mean over the
    examples, or over all values of a single one), both (examples, values); 1 for equal outputs,
    also for ones that never change.
    """
    import numpy as np

    lost = float(np.square(values - wanted, dtype=np.float64).sum())
    mean = wanted.mean(0 if len(wanted) > 1 else None)
    whole = float(np.square(wanted - mean, dtype=np.float64).sum())
    return 1 - lost / max(whole, 1e-9) if lost else 1.0


def _matched(
    here: "dict[str, NDArray[np.float32]]", floating: "dict[str, NDArray[np.float32]]"
) -> "dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]":
    """Return both models' outputs together: of the same name, else of the same place."""
    if here.keys() == floating.keys():
        return {name: (values, floating[name]) for name, values in here.items()}
    pairs = zip(here.items(), floating.values(), strict=True)
    return {name: (values, wanted) for (name, values), wanted in pairs}


def _answers(test: "In", values: "dict[str, NDArray[np.float32]]") -> list[dict[str, Any]]:
    from stages.tasks.tensors import row
    from stages.tflite import part

    return [
        {
            "file": item.path.name,
            "rows": [
                row(name, one[at].ravel())
                for at in range(item.first, item.last + 1)
                for name, one in values.items()
            ],
        }
        for item in part.items(test)
    ]


def _figures(metrics: FidelityMetrics, is_ready: bool) -> str:
    other = "itself on the build machine, since it came ready" if is_ready else "the float model"
    return (
        f"compared with {other}: R² {metrics['r2']:.3f} on {metrics['test_examples']:.0f} examples; "
        f"{metrics['same_highest']:.1%} have the highest value in the same place; values differ by "
        f"{metrics['mean_difference']:.2%} of the outputs' range, by {metrics['max_difference']:.2%} at most"
    )
