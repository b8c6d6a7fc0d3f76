"""A sweep as text."""

from pathlib import Path

from engine.sweeps import table
from engine.sweeps.record import Asked, End, Facts, Job, Sweep

COMMAND = ("python", "run.py", "-m", "params.epochs=10,20")
UP = {"score.accuracy": "maximise"}
ASKED = Asked(command=COMMAND, folder="/here", started=100.0, keys=("params.epochs",), count=3)


def job(number: int, state: str, epochs: int, **facts) -> Job:
    known = {"changes": (f"params.epochs={epochs}",), "exit": 0, **facts}
    return Job(number, Facts(**known), state)


GOOD = job(
    1,
    "finished",
    10,
    directions=UP,
    values={"score.accuracy": 0.91},
    intervals={"score.accuracy": (0.88, 0.94)},
    gates_passed=2,
    gates=2,
    seconds=32,
    command=("python", "run.py", "params.epochs=10"),
)
BAD = job(2, "failed", 20, exit=1, message="train: out of patience")


def lines(*jobs: Job, **more) -> list[str]:
    return list(table.lines(Sweep(Path("outputs/sweeps/x"), ASKED, jobs, **more)))


def test_the_jobs_are_a_table_with_the_best_first():
    assert lines(BAD, GOOD, end=End(ended=140.0, status=1)) == [
        "sweep x: 2 jobs in 40 s: 1 finished, 1 failed",
        "  job  epochs  score.accuracy       state     gates   took",
        "  1 *  10      0.91 (0.88 to 0.94)  finished  2 of 2  32 s",
        "  2    20                           failed",
        "  best     job 1 (epochs=10)",
        "           python run.py params.epochs=10",
        "  failed   job 2: train: out of patience",
    ]


def test_an_interrupted_sweep_shows_the_command_that_continues_it():
    assert (
        lines(GOOD, job(2, "waiting", 20))[-1] == "  continue python run.py -m params.epochs=10,20"
    )


def test_a_running_sweep_does_not():
    assert "continue" not in "".join(lines(GOOD, job(2, "running", 20), is_running=True))


def test_a_job_whose_worker_was_killed_says_so():
    found = lines(job(1, "failed", 10, exit=None), end=End(ended=1.0, status=1))
    assert found[-1] == "  failed   job 1: its worker ended before it did"


def test_a_figure_that_was_not_measured_on_the_device_says_where():
    facts = {
        "directions": {"bench.latency_ms": "minimise"},
        "values": {"bench.latency_ms": 4.5},
        "measured_on": {"bench.latency_ms": "simulated on x86_64"},
    }
    found = table.value(job(1, "finished", 10, **facts), "bench.latency_ms")
    assert found.replace("\N{NO-BREAK SPACE}", " ") == "4.5 ms (simulated on x86_64)"


def test_many_jobs_are_counted_instead_of_shown():
    many = [job(number, "finished", number) for number in range(1, 51)]
    found = lines(*many, end=End(ended=1.0, status=0))
    assert "  and 10 more jobs" in found and len(found) < 50


def several(number: int, epochs: int, accuracy: float, latency: float, **facts) -> Job:
    known = {
        "directions": {"s.accuracy": "maximise", "b.latency_ms": "minimise"},
        "values": {"s.accuracy": accuracy, "b.latency_ms": latency},
        "prefer": "s.accuracy",
        "limits": {"b.latency_ms": "<= 5"},
        "command": ("python", "run.py", f"params.epochs={epochs}"),
    }
    return job(number, "finished", epochs, **known, **facts)


def test_several_objectives_end_with_the_front_and_the_rule():
    jobs = several(1, 10, 0.9, 9), several(2, 20, 0.7, 3), several(3, 30, 0.6, 4)
    assert lines(*jobs)[2:8] == [
        "  2 *  20      0.7         3 ms          finished",
        "  1 +  10      0.9         9 ms          finished",
        "  3    30      0.6         4 ms          finished",
        "  front    jobs 1 and 2 (+)",
        "  best     job 2 (epochs=20), by rule: highest s.accuracy with b.latency_ms <= 5",
        "           python run.py params.epochs=20",
    ]


def test_without_a_job_within_the_limits_it_says_why_there_is_no_best_one():
    assert "  best     none: no job of the Pareto front has b.latency_ms <= 5" in lines(
        several(1, 10, 0.9, 9)
    )
