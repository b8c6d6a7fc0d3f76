"""Metrics as Prometheus reads them."""

import time

from stages.serving.events.counters import named
from stages.serving.web.numbers import numbers_of
from stages.serving.web.prometheus import parsed, text
from tests.stages.serving.fakes import detection, update
from tests.stages.serving.web.conftest import PATIENT_S

HOSTILE = 'a"b\\c\nd{e="f"},g'


def test_a_name_with_any_labels_is_parsed_back():
    key = named("serving_fps", source=HOSTILE, other="x")
    assert parsed(key) == ("serving_fps", {"source": HOSTILE, "other": "x"})
    assert parsed("serving_fps") == ("serving_fps", {})
    assert parsed("not a name") == ("", {})


def test_families_have_their_type_and_help():
    found = text(
        {'serving_fps{source="a"}': 12.5, "serving_viewers": 2.0, "own": 1, "serving_fps": 1}
    ).decode()
    assert found == (
        "# TYPE own untyped\nown 1\n"
        "# HELP serving_fps Frames answered per second.\n# TYPE serving_fps gauge\n"
        'serving_fps{source="a"} 12.5\nserving_fps 1\n'
        "# HELP serving_viewers Open streams of events and pictures over HTTP.\n"
        "# TYPE serving_viewers gauge\nserving_viewers 2\n"
    )


def test_a_hostile_label_cannot_forge_a_metric():
    lines = (
        text({named("serving_fps", source=HOSTILE): 1.0, 'x{a="\n"} 1\ny': 2.0})
        .decode()
        .splitlines()
    )
    assert lines[-1] == r'serving_fps{source="a\"b\\c\nd{e=\"f\"},g"} 1'
    assert len(lines) == 3


def test_special_numbers_are_written_as_prometheus_does():
    found = text({"a": float("nan"), "b": float("inf"), "c": float("-inf"), "d": 1e300}).decode()
    assert [line for line in found.splitlines() if line[0] != "#"] == [
        "a NaN",
        "b +Inf",
        "c -Inf",
        "d 1e+300",
    ]


def test_the_server_shows_its_own_metrics_and_those_of_the_hub(web):
    web.feed.put(update(detection()))
    web.get("/nothing")
    end_s = time.monotonic() + PATIENT_S
    while not web.hub.updates():
        assert time.monotonic() < end_s
    answer = web.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    assert 'serving_requests_total{status="404"} 1' in lines
    assert "# TYPE serving_connections gauge" in lines
    assert 'serving_detections_total{label="person"} 1' in lines


def test_the_page_gets_its_numbers_from_the_metrics():
    metrics = {
        named("serving_frame_age_seconds", source="a", quantile="0.5"): 0.0243,
        named("serving_frame_age_seconds", source="a", quantile="0.95"): 0.05,
        named("serving_memory_bytes", process="main"): 30e6,
        named("serving_memory_bytes", process="camera"): 20e6,
        "serving_temperature_celsius": 51.5,
        "serving_fps": 3.0,
    }
    assert numbers_of(metrics) == {
        "sources": {"a": {"age_p50_ms": 24.3, "age_p95_ms": 50.0}},
        "machine": {"memory_mb": 50.0, "temperature_c": 51.5},
    }


def test_metrics_are_computed_once_for_many_viewers(web):
    asked = []
    real = web.hub.counters
    web.hub.counters = lambda: asked.append(1) or real()
    for _ in range(10):
        assert web.get("/api/state").status == web.get("/metrics").status == 200
    assert len(asked) <= 3
