"""The report of a sweep: one self-contained page."""

import re

import pytest

from engine.report import sweep as report
from engine.sweeps import record
from engine.sweeps.record import Asked, End

UP = {"score.accuracy": "maximise"}


@pytest.fixture
def swept(tmp_path):
    """Writes the record of a sweep over these values of two parameters, and returns it."""

    def make(*values: tuple[str, str], keys=("params.lr", "params.epochs"), **facts):
        command = ("python", "run.py", "-m", "params.lr=1e-3,3e-4")
        asked = Asked(command=command, folder="/", started=1.8e9, keys=keys, count=len(values))
        folder = record.create(tmp_path / "outputs" / "sweeps", asked)
        for number, pair in enumerate(values, 1):
            changes = [f"{key}={value}" for key, value in zip(keys, pair, strict=True)]
            run = f"demo/rpi4/run{number}"
            (tmp_path / "outputs" / run).mkdir(parents=True)
            (tmp_path / "outputs" / run / "report.html").touch()
            record.append(folder, number, began=1.0, changes=changes)
            about = {
                "status": "finished",
                "directions": UP,
                "command": ["python", "run.py", *changes],
            }
            about |= {"values": {"score.accuracy": number / 10}, "run": run, **facts}
            record.append(folder, number, ended=2.0, exit=0, **about)
        record.finish(folder, End(ended=1.8e9 + 60, status=0))
        return record.read(folder)

    return make


GRID = (("1e-3", "10"), ("1e-3", "20"), ("3e-4", "10"), ("3e-4", "20"))


def test_it_shows_the_best_job_its_value_and_its_command(swept):
    page = report.render(swept(*GRID))
    best = page[page.index('<section class="best">') :].partition("</section>")[0]
    assert "Best: job 4" in best and "(lr=3e-4 epochs=20)" in best
    assert "0.4" in best and "python run.py params.lr=3e-4 params.epochs=20" in best


def test_each_job_links_to_the_report_of_its_run(swept):
    sweep = swept(*GRID)
    path = report.write(sweep)
    links = re.findall(r'<a href="([^"]+)">(\d)</a>', path.read_text())
    assert [number for _, number in links] == ["4", "3", "2", "1"]
    assert all((path.parent / address).is_file() for address, _ in links)


def test_two_parameters_have_a_heat_map_and_three_do_not(swept):
    assert 'aria-label="Heat map"' in report.render(swept(*GRID))


def test_one_parameter_has_only_parallel_coordinates(swept):
    page = report.render(swept(("1",), ("2",), keys=("params.n",)))
    assert 'aria-label="Parallel coordinates"' in page and 'aria-label="Heat map"' not in page


def test_a_single_job_has_no_drawing(swept):
    assert "<svg" not in report.render(swept(("1", "2")))


def test_no_passed_job_is_said(swept):
    assert "No job passed its gates." in report.render(swept(*GRID, status="rejected"))


def test_numbers_are_in_their_order_and_words_follow(swept):
    page = report.render(swept(("9", "a"), ("10", "a"), ("x", "b")))
    drawn = page[page.index('aria-label="Heat map"') :]
    assert re.findall(r'class="middle"[^>]*>([^<]+)<', drawn) == ["9", "10", "x"]


def test_it_loads_nothing_and_escapes_what_users_wrote(swept):
    page = report.render(
        swept(("<img src=x>", "2"), ("1", "2"), message="<script>alert(1)</script>")
    )
    assert "<img" not in page and "<script" not in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page) and "default-src" in page
