"""The metrics: names, labels, quantiles, limits."""

from stages.serving.events.counters import (
    METRICS,
    MOST_LABELS,
    OTHER,
    WINDOW_S,
    Counters,
    base,
    named,
    quantile,
)
from tests.stages.serving.fakes import detection, source_state, update, worker_state


def test_every_metric_is_described() -> None:
    counters = Counters()
    counters.take(update(detection()), 0.0)
    names = {base(name) for name in counters.values([source_state(), worker_state()], 0.0)}
    assert names <= METRICS.keys()


def test_labels_are_escaped() -> None:
    assert named("a", label='x"\\\n') == 'a{label="x\\"\\\\\\n"}'


def test_old_samples_are_forgotten() -> None:
    counters = Counters()
    counters.take(update(age_ms=1000.0), 0.0)
    counters.take(update(age_ms=10.0), WINDOW_S)
    key = 'serving_frame_age_seconds{source="door",quantile="0.99"}'
    assert counters.values([], WINDOW_S + 1)[key] == 0.01


def test_many_labels_are_counted_together() -> None:
    counters = Counters()
    for n in range(MOST_LABELS + 5):
        counters.take(update(detection(f"label {n}")), 0.0)
    found = counters.values([], 0.0)
    assert found[named("serving_detections_total", label=OTHER)] == 5


def test_names_of_people_are_not_counted() -> None:
    counters = Counters("faces")
    counters.take(update(detection("Ann"), detection("unknown")), 0.0)
    found = counters.values([], 0.0)
    assert found[named("serving_detections_total", label="face")] == 2
    assert not any("Ann" in name for name in found)


def test_a_score_is_counted_up_to_its_bound() -> None:
    counters = Counters()
    counters.take(update(detection(score=0.5), detection(score=None)), 0.0)
    found = counters.values([], 0.0)
    assert found['serving_detection_score_bucket{le="0.4"}'] == 0
    assert found['serving_detection_score_bucket{le="0.5"}'] == 1
    assert found["serving_detection_score_count"] == 1


def test_a_quantile_is_the_nearest_rank() -> None:
    assert [quantile(range(100), part) for part in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 99]
