"""Compares test faces with a gallery and with one another: metrics, figures and the model card's sections."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage.figures import curves, histogram, picture_grid, table
from stages.evaluation import bootstrap
from stages.evaluation.drop import beyond_one
from stages.faces import _rates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.faces import Gallery

MOST_SHOWN = 24  # faces in a grid
_BINS = 60  # of the histogram
_DRAWS = 20  # of halves of the people


class Compared:
    """The test faces of one run: their cosines with the gallery's people and with one another."""

    def __init__(
        self,
        embeddings: "NDArray[Any]",
        people: "NDArray[np.int64]",
        gallery: "Gallery",
        count: int,
    ) -> None:
        """embeddings (faces, d) of length 1; people (faces,); count: of people in the gallery."""
        self.people, self.gallery = people, gallery
        self.similar = gallery.similarities(embeddings, count)  # (faces, people)
        self.is_right = self.similar.argmax(1) == people
        own = np.isin(gallery.people, people)
        self.every = np.concatenate([people, gallery.people[own]])  # (test and gallery faces,)
        self.pairs = _rates.Pairs(np.concatenate([embeddings, gallery.embeddings[own]]), self.every)

    def rejected(self, threshold: float) -> "NDArray[np.bool_]":
        """Return which faces are not named rightly at the threshold (faces,)."""
        return ~(self.is_right & (self.similar.max(1) >= threshold))

    def accepted(self, threshold: float) -> "NDArray[np.bool_]":
        """Return which faces are named although their person is not in the gallery (faces,)."""
        return _rates.strangers(self.similar, self.people) >= threshold

    def halved(self, threshold: float) -> tuple[float, float]:
        """Return the shares of strangers named and of enrolled people not named rightly, if a random half of
        the people is enrolled: the mean over draws in which each half is enrolled once.
        """
        people = np.arange(self.similar.shape[1])
        random, accepted, rejected = np.random.default_rng(0), [], []
        for _ in range(_DRAWS):
            order = random.permutation(people)
            for half in (order[: len(order) // 2], order[len(order) // 2 :]):
                among = self.similar[:, half]
                is_enrolled, best = np.isin(self.people, half), half[among.argmax(1)]
                is_named = among.max(1) >= threshold
                accepted.append(is_named[~is_enrolled])
                rejected.append(~(is_named & (best == self.people))[is_enrolled])
        return float(np.concatenate(accepted).mean()), float(np.concatenate(rejected).mean())


def measured(compared: "Mapping[str, Compared]", threshold: float) -> "dict[str, float]":
    """Return the metrics for the runs "int8", "build" and, if there is one, "float", and for "pixels"."""
    int8, pixels = compared["int8"], compared["pixels"]
    found = {"eer": int8.pairs.equal_error()}
    found["eer_low"], found["eer_high"] = bootstrap.interval(int8.pairs.equal_error_of, int8.every)
    shares = {
        "rank1": int8.is_right,
        "false_accept": int8.accepted(threshold),
        "false_reject": int8.rejected(threshold),
    }
    for name, hits in shares.items():
        found[name] = float(hits.mean())
        low, high = bootstrap.share_interval(hits, int8.people)
        found |= {f"{name}_low": low, f"{name}_high": high}
    if "float" in compared:
        original = compared["float"]
        right = float(original.is_right.mean())
        found |= {
            "float_eer": original.pairs.equal_error(),
            "float_rank1": right,
            "rank1_drop": right - found["rank1"],
            "rank1_drop_beyond_one": beyond_one(right, found["rank1"], len(int8.people)),
        }
    baseline = float(pixels.is_right.mean())
    return {
        **found,
        "rank1_build": float(compared["build"].is_right.mean()),
        "baseline_eer": pixels.pairs.equal_error(),
        "baseline_rank1": baseline,
        "baseline_margin": found["rank1"] - baseline,
    }


def draw(
    compared: "Mapping[str, Compared]",
    threshold: float,
    truth: "Mapping[str, Any]",
) -> None:
    """Record ROC and DET, the cosines of pairs, the open set and the quality by size of face; no picture."""
    shown = {name: one for name, one in compared.items() if name != "build"}
    rates = {name: one.pairs.rates() for name, one in shown.items()}
    labelled = {
        f"{name}, EER {one.pairs.equal_error():.2%}": rates[name] for name, one in shown.items()
    }
    roc = {name: (matched, 1 - missed) for name, (_, matched, missed) in labelled.items()}
    curves("ROC", roc, x="false match rate", y="true match rate")
    det = {name: _logarithms(matched, missed) for name, (_, matched, missed) in labelled.items()}
    curves("DET", det, x="false match rate, power of ten", y="false non-match rate, power of ten")
    pairs = compared["int8"].pairs
    edges = np.linspace(float(pairs.cosines.min()), 1, _BINS + 1)
    counts = {
        f"{name} people, share of pairs": np.histogram(pairs.cosines[chosen], edges)[0]
        / max(1, chosen.sum())
        for name, chosen in (("same", pairs.is_same), ("different", ~pairs.is_same))
    }
    histogram("cosine of pairs", edges, counts, x="cosine", y="share of pairs")
    _open_set(compared["int8"], threshold)
    _by_quality(compared["int8"], threshold, truth)


def _logarithms(
    matched: "NDArray[Any]", missed: "NDArray[Any]"
) -> "tuple[NDArray[Any], NDArray[Any]]":
    """Return the powers of ten of both rates where neither is 0; the smallest rate of few pairs is coarse."""
    there = (matched > 0) & (missed > 0)
    return np.log10(matched[there]), np.log10(missed[there])


def _open_set(int8: Compared, threshold: float) -> None:
    """Show both error rates of identification at the packaged threshold and around it, and the ones with
    half of the people enrolled, as an independent set of strangers.
    """
    strangers = _rates.strangers(int8.similar, int8.people)
    chosen = {f"{share:.1%}": _rates.threshold(strangers, share) for share in (0.001, 0.01, 0.05)}
    rows = [("packaged", threshold)]
    rows += [
        (f"for {share} of strangers accepted, on the test part", at) for share, at in chosen.items()
    ]
    cells = [
        (name, at, float(int8.accepted(at).mean()), float(int8.rejected(at).mean()))
        for name, at in rows
    ]
    cells.append(("packaged, half of the people enrolled", threshold, *int8.halved(threshold)))
    table("open set", ["threshold", "cosine", "false accept", "false reject"], cells)


def _by_quality(int8: Compared, threshold: float, truth: "Mapping[str, Any]") -> None:
    """Show the results by the height of the face, and by how far it is turned to the side."""
    count = len(int8.people)
    boxes = np.array(truth["boxes"][:count])
    heights = boxes[:, 2] - boxes[:, 0]
    _by("size of face", ("height", "px"), heights, (0, 40, 80, 160, np.inf), int8, threshold)
    turns = np.array(truth["turns"][:count], float)
    edges = (0, 10, 20, 30, np.inf)
    _by("turn of face", ("estimated turn", "°"), np.abs(turns), edges, int8, threshold)


def _by(
    title: str,
    column: tuple[str, str],
    values: "NDArray[np.float64]",
    edges: "Sequence[float]",
    int8: Compared,
    threshold: float,
) -> None:
    """Show the results by ranges of a property; faces for which it is not a number are left out."""
    rows = []
    for low, high in pairwise(edges):
        chosen = (values >= low) & (values < high)
        if chosen.any():
            name = f"{low:g} to {high:g}" if np.isfinite(high) else f"from {low:g}"
            rejected = float(int8.rejected(threshold)[chosen].mean())
            rows.append((name, int(chosen.sum()), float(int8.is_right[chosen].mean()), rejected))
    if rows:
        table(title, [column, "test faces", "rank 1", "false reject"], rows)


def grid(
    pixels: "NDArray[np.uint8]", int8: Compared, threshold: float, truth: "Mapping[str, Any]"
) -> None:
    """Record pictures of people: the test faces that are wrongly rejected or, as strangers', accepted.

    pixels: the aligned faces (faces, side, side, 3)
    """
    labels, names = truth["labels"], truth["names"]
    others = np.array(int8.similar, copy=True)
    others[np.arange(len(int8.people)), int8.people] = -1
    for title, chosen, shown in (
        ("rejected or wrongly named", int8.rejected(threshold), int8.similar),
        ("accepted as somebody else", int8.accepted(threshold), others),
    ):
        wrong = np.flatnonzero(chosen)[:MOST_SHOWN]
        if len(wrong):
            captions = [
                f"{names[at]}: {labels[shown[at].argmax()]} {shown[at].max():.3f}" for at in wrong
            ]
            faces = [_png(np.asarray(pixels[at])) for at in wrong]
            picture_grid(title, list(zip(faces, captions, strict=True)))


def _png(pixels: "NDArray[np.uint8]") -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def card(metrics: "Mapping[str, Any]") -> dict[str, str]:
    """Return sections of the model card: title -> Markdown."""
    return {
        "Intended use": (
            "Name enrolled people in pictures, with their consent. Not for decisions about people's safety "
            "or rights, and not for unlocking anything: a photograph of a person passes for the person."
        ),
        "Figures": _figures(metrics),
        "Personal data": (
            "`data/gallery.npy` contains an embedding of each enrolled picture, and `labels.txt` the names. "
            "Both are personal data: an embedding tells a person apart in any picture. The package contains "
            "no picture of a person."
        ),
        "Limits": (
            "Small faces, profiles, and covered or badly lit faces are missed or not recognised. Error rates "
            "differ between groups of people, and were not measured by group. The test pictures resemble "
            "the enrolled ones; others do worse."
        ),
    }


def _figures(metrics: "Mapping[str, Any]") -> str:
    if "eer" not in metrics:
        return "Unevaluated: there is no test face."
    rows = [
        f"| {name} | {metrics[key]:.2%} | {metrics[f'{key}_low']:.2%} to {metrics[f'{key}_high']:.2%} |"
        for name, key in (
            ("equal error rate of verification", "eer"),
            ("right person first (rank 1)", "rank1"),
            ("strangers accepted at the threshold", "false_accept"),
            ("enrolled people not named rightly at the threshold", "false_reject"),
        )
    ]
    head = (
        f"{metrics['test_faces']:.0f} test faces of {metrics['test_people']:.0f} people against a gallery "
        f"of {metrics['people']:.0f} people, threshold {metrics['threshold']:.3f}. Comparing pixels instead "
        f"gives an equal error rate of {metrics['baseline_eer']:.2%} and rank 1 of "
        f"{metrics['baseline_rank1']:.2%}."
    )
    return "\n".join([head, "", "| figure | value | 95 % interval |", "| --- | --- | --- |", *rows])
