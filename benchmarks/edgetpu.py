"""Measures how well the predicted mapping matches the Edge TPU's compiler: `python benchmarks/edgetpu.py
[mirror=FOLDER]`.

The ground truth is the compiler's result for real models: `edgetpu_pairs/truth.json` in the mirror folder,
which RPI_MLOPS_MIRROR can name too. Each compiled file is also read, and must give the same result. Without
a mirror there is nothing to compare with.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from stages.edgetpu.report import report as edgetpu_report  # noqa: E402

BYTES = ("cached_param_bytes", "streamed_param_bytes")
TOLERANCE = 0.05


def main(words: list[str]) -> int:
    """Print a row for each model and the totals."""
    named = [word.removeprefix("mirror=") for word in words if word.startswith("mirror=")]
    mirror = Path(
        named[-1]
        if named
        else os.environ.get("RPI_MLOPS_MIRROR", ROOT.parent / "shared" / "mirror")
    )
    truth = mirror / "edgetpu_pairs" / "truth.json"
    if not truth.is_file():
        print(
            f"no models to compare with: there is no {truth}; name a mirror folder with mirror=FOLDER "
            "or RPI_MLOPS_MIRROR"
        )
        return 0
    models = json.loads(truth.read_text(encoding="utf-8"))
    print(
        f"{'model':44}{'operators':>10}{'wrong':>7}{'cached':>11}{'error':>8}{'streamed':>11}{'error':>8}{'runtime':>9}{'file':>6}{'ms':>7}"
    )
    rows = [_row(mirror, one) for one in models]
    operators, in_bytes, in_file = (sum(row[at] for row in rows) for at in range(3))
    print(
        f"\nof {len(models)} models: operators right for {operators}, cached and streamed bytes "
        f"within {TOLERANCE:.0%} for {in_bytes}, "
        f"compiled files read correctly: {in_file}"
    )
    return 0


def _row(mirror: Path, truth: dict[str, Any]) -> tuple[bool, bool, bool]:
    """Print one model's row; return whether its operators, its bytes and its compiled file are right."""
    began = time.perf_counter()
    found = _report(mirror / truth["cpu_model"])
    milliseconds = 1000 * (time.perf_counter() - began)
    compiled = _report(mirror / truth["edgetpu_model"])
    left = {op["index"] for op in found["ops"] if not op["mapped"]}
    wrong = len(left ^ set(truth["cpu_op_indices"]))
    errors = [_error(found[key], truth[key]) for key in BYTES]
    is_read = all(compiled[key] == truth[key] for key in (*BYTES, "min_runtime"))
    print(
        f"{truth['name'][:43]:44}{truth['n_ops']:10}{wrong:7}{truth[BYTES[0]]:11,}{errors[0]:8.1%}{truth[BYTES[1]]:11,}{errors[1]:8.1%}"
        f"{found['min_runtime']:4} / "
        f"{truth['min_runtime']:2}{'ok' if is_read else 'no':>6}{milliseconds:7.1f}"
    )
    return wrong == 0, all(abs(error) <= TOLERANCE for error in errors), is_read


def _report(model: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        edgetpu_report(model, Path(folder) / "report.json")
        found: dict[str, Any] = json.loads(
            (Path(folder) / "report.json").read_text(encoding="utf-8")
        )
        return found


def _error(predicted: int, actual: int) -> float:
    """Return the error relative to the actual value; 1 if that is 0 and the prediction is not."""
    return (predicted - actual) / actual if actual else float(predicted > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
