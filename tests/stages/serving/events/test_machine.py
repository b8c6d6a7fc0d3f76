"""A rule's state at one source: durations, forgiven gaps, cool-down, clocks that are set."""

from hypothesis import given
from hypothesis import strategies as st

from stages.serving.events.machine import REORDERED_S, SILENCE_S, Machine


def changes(machine: Machine, *frames: tuple[float, bool]) -> list[tuple[float, str]]:
    return [(time, one) for time, holds in frames for one in machine.observe(time, holds)]


def every_s(*holds: bool) -> list[tuple[float, bool]]:
    return list(enumerate(holds))


def test_an_event_begins_once_the_condition_has_lasted() -> None:
    machine = Machine(for_s=2, forgive_s=0.5, cool_down_s=0)
    assert changes(machine, *every_s(True, True, True, True)) == [(2, "began")]


def test_without_a_duration_it_begins_at_once() -> None:
    machine = Machine(for_s=0, forgive_s=0.5, cool_down_s=0)
    assert changes(machine, (0, True), (1, False)) == [(0, "began"), (1, "ended")]


def test_a_short_gap_is_forgiven() -> None:
    machine = Machine(for_s=2, forgive_s=1, cool_down_s=0)
    assert changes(machine, *every_s(True, False, True)) == [(2, "began")]


def test_a_longer_gap_restarts_the_duration() -> None:
    machine = Machine(for_s=2, forgive_s=0.5, cool_down_s=0)
    assert changes(machine, *every_s(True, False, True, True, True)) == [(4, "began")]


def test_a_short_gap_does_not_end_an_event() -> None:
    machine = Machine(for_s=0, forgive_s=1.5, cool_down_s=0)
    assert changes(machine, *every_s(True, False, True, False, False)) == [
        (0, "began"),
        (4, "ended"),
    ]


def test_no_event_begins_during_the_cool_down() -> None:
    machine = Machine(for_s=0, forgive_s=0.5, cool_down_s=3)
    seen = changes(machine, *every_s(True, False, True, True, True, True))
    assert seen == [(0, "began"), (1, "ended"), (4, "began")]


def test_a_slow_source_counts_as_continuous() -> None:
    machine = Machine(for_s=5, forgive_s=0.5, cool_down_s=0)
    assert changes(machine, (0, True), (3, True), (6, True)) == [(6, "began")]


def test_silence_restarts_the_duration() -> None:
    machine = Machine(for_s=5, forgive_s=0.5, cool_down_s=0)
    later = SILENCE_S + 1
    assert changes(machine, (0, True), (later, True)) == []


def test_silence_ends_an_event() -> None:
    machine = Machine(for_s=0, forgive_s=0.5, cool_down_s=0)
    machine.observe(0, True)
    assert machine.tick(SILENCE_S) == []
    assert machine.tick(SILENCE_S + 1) == ["ended"]


def test_a_late_frame_is_ignored() -> None:
    machine = Machine(for_s=0, forgive_s=0.0, cool_down_s=0)
    assert changes(machine, (1, True), (0.9, False), (1.1, True)) == [(1, "began")]


def test_a_clock_that_is_set_back_is_followed() -> None:
    machine = Machine(for_s=0, forgive_s=0.5, cool_down_s=0)
    back = -3600.0
    seen = changes(machine, (0, True), (back, True), (back + 1, False))
    assert seen == [(0, "began"), (back + 1, "ended")]


STEPS = st.lists(
    st.tuples(
        st.one_of(
            st.floats(0, 3),  # frames
            st.floats(-REORDERED_S, 0),  # out of order
            st.sampled_from([-86400.0, -REORDERED_S - 1, SILENCE_S + 1, 3600.0]),  # clock, silence
        ),
        st.booleans(),
        st.booleans(),  # a tick instead of a frame
    ),
    max_size=60,
)


@given(STEPS, st.floats(0, 5), st.floats(0, 3), st.floats(0, 20))
def test_beginnings_and_ends_alternate_and_the_cool_down_holds(
    steps: list[tuple[float, bool, bool]], for_s: float, forgive_s: float, cool_down_s: float
) -> None:
    machine = Machine(for_s, forgive_s, cool_down_s)
    time, forward, seen = 0.0, 0.0, []
    for step, holds, is_tick in steps:
        time += step
        forward += max(step, 0.0)  # at least as much as the machine's clock has moved
        for one in machine.tick(time) if is_tick else machine.observe(time, holds):
            seen.append((forward, one))
    seen += [(forward, one) for one in machine.finish()]
    assert [one for _, one in seen] == ["began", "ended"] * (len(seen) // 2)
    for (ended, _), (began, _) in zip(seen[1::2], seen[2::2], strict=False):
        assert began - ended >= cool_down_s - 1e-9


@given(st.floats(0.1, 5), st.integers(1, 30))
def test_a_beginning_needs_evidence_over_the_whole_duration(for_s: float, fps: int) -> None:
    machine = Machine(for_s, forgive_s=0.0, cool_down_s=0)
    frames = [(n / fps, True) for n in range(int(for_s * fps) + 2)]
    ((began, _),) = changes(machine, *frames)
    assert for_s <= began + 1e-9 and began <= for_s + 1 / fps + 1e-9
