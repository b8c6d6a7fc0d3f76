"""Evaluates an exported model without ground truth, by how much int8 differs from float."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError, measured_on, note
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class FidelityMetrics(TypedDict):
    """How well the int8 model reproduces the float model.

    r2: the coefficient of determination of the worst output, at most 1: the share of the variance over
        the examples that int8 reproduces
    r2_low, r2_high: its 95 % interval by bootstrap over the examples
    same_highest: the share of examples whose highest value is at the same position in each output, 0
        to 1. For classes that is the same answer; for other outputs, which may tie, it says little
    mean_difference, max_difference: of a value, as a fraction of the float outputs' range
    """

    r2: float
    r2_low: float
    r2_high: float
    same_highest: float
    mean_difference: float
    max_difference: float
    test_examples: float


def fidelity(
    test: In, outputs: In, reference: In, report: Annotated[Out, Suffix(".json")]
) -> FidelityMetrics:
    """Compare the target's int8 outputs with the build machine's float outputs.

    test: a part; outputs: the output of `infer`; reference: the output of `reference`
    report: JSON: the metrics, where they were measured, the answers that `verify` expects for the raw
            items, and sections of the model card
    A model that was given as int8 has no float form: it is compared with itself on the build machine.
    """
    import json

    import numpy as np

    from stages.evaluation import bootstrap
    from stages.tflite import outputs as raw_outputs

    there, original = raw_outputs.read(outputs), raw_outputs.read(reference / "float")
    here, floating = there.values(), original.values()
    measured_on(there.about["measured_on"])
    sums, same, parts = [], [], []
    for name, values in _matched(here, floating).items():
        _refuse_endless(name, values)
        flat, wanted = (one.reshape(len(one), -1) for one in values)
        sums.append(_sums(flat, wanted))
        same.append(flat.argmax(1) == wanted.argmax(1))
        parts.append(np.abs(flat - wanted).ravel() / max(float(np.ptp(wanted)), 1e-9))
    differences = np.concatenate(parts)

    def worst(weights: "NDArray[np.float64]") -> "NDArray[np.float64]":
        return np.min([_r2(weights, *one) for one in sums], axis=0)  # type: ignore[no-any-return]

    low, high = bootstrap.interval(worst, range(len(same[0])))
    metrics = FidelityMetrics(
        r2=float(worst(np.ones((1, len(same[0]))))[0]),
        r2_low=low,
        r2_high=high,
        same_highest=float(np.all(same, axis=0).mean()),
        mean_difference=float(differences.mean()),
        max_difference=float(differences.max()),
        test_examples=float(len(same[0])),
    )
    figures = _figures(metrics, there.about["model_sha256"] == original.about["model_sha256"])
    about = {
        **{name: there.about[name] for name in ("runtime", "accelerator", "measured_on")},
        **metrics,
        "answers": _answers(test, here),
        "card": _card(figures),
    }
    note(figures)
    report.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return metrics


def _refuse_endless(name: str, values: "tuple[NDArray[np.float32], NDArray[np.float32]]") -> None:
    """Refuse NaN and infinity, which make the figures meaningless."""
    import numpy as np

    for form, one in zip(("int8", "float"), values, strict=True):
        if not np.isfinite(one).all():
            raise StageError(
                f"the {form} model's output '{name}' contains NaN or infinity: are the examples scaled as "
                "in training?"
            )


def _sums(
    values: "NDArray[np.float32]", wanted: "NDArray[np.float32]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the squared differences, and the squared deviations of each wanted value from its mean over
    the examples (over all values, if there is a single example). values: (examples, values); both
    results: (examples,)
    """
    import numpy as np

    lost = np.square(values - wanted, dtype=np.float64).sum(1)
    mean = wanted.mean(0 if len(wanted) > 1 else None)
    return lost, np.square(wanted - mean, dtype=np.float64).sum(1)


def _r2(
    weights: "NDArray[np.float64]", lost: "NDArray[np.float64]", whole: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Return 1 - differences / deviations for each row of weights (draws, examples): (draws,); 1 for
    equal outputs, even if they are constant.

    Deviations are from the mean of all examples, because a small draw may have none from its own mean.
    """
    import numpy as np

    part = weights @ lost
    return np.where(part > 0, 1 - part / np.maximum(weights @ whole, 1e-9), 1.0)


def _matched(
    here: "dict[str, NDArray[np.float32]]", floating: "dict[str, NDArray[np.float32]]"
) -> "dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]":
    """Return both models' outputs in pairs: by name, or else by position."""
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


def _card(figures: str) -> dict[str, str]:
    return {
        "Intended use": (
            "The purpose of the original model, and no other. The export does not change what the "
            "model does, only the format of its numbers."
        ),
        "Figures": f"{figures[:1].upper()}{figures[1:]}.",
        "Limits": (
            "Its accuracy was not measured: the examples have no labels. These figures say how close "
            "the exported model is to the original, not how often either is right."
        ),
    }


def _figures(metrics: FidelityMetrics, is_ready: bool) -> str:
    other = (
        "itself on the build machine, because it was quantised before"
        if is_ready
        else "the float model"
    )
    return (
        f"compared with {other}: R² {metrics['r2']:.5g} (95 % interval {metrics['r2_low']:.5g} to "
        f"{metrics['r2_high']:.5g}) on {metrics['test_examples']:.0f} examples; "
        f"{metrics['same_highest']:.1%} have the highest value in the same place; values differ by "
        f"{metrics['mean_difference']:.2%} of the outputs' range, by {metrics['max_difference']:.2%} at most"
    )
