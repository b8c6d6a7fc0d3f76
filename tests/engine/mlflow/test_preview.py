"""MLflow shows the report in a frame, in which links to files lead nowhere."""

from pathlib import Path

from engine.events import replay
from engine.mlflow import preview
from engine.sinks import report

RUN = Path("/home/ann/outputs/demo/rpi4/r1")


def test_links_to_files_become_text_and_others_stay():
    page = '<a href="logs/a.log">log</a> <a href="https://mlflow.org">MLflow</a> <a href="#x">x</a>'
    kept = '<span>log</span> <a href="https://mlflow.org">MLflow</a> <a href="#x">x</a>'
    assert preview.unlinked(page, RUN) == kept


def test_the_footer_says_where_the_links_work(events, make_job, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "run.json").write_text("{}")
    state = replay(events.start([make_job("train")]).done().events)
    page = report.render(state, tmp_path)
    assert '<a href="run.json">' in page
    copy = preview.unlinked(page, RUN)
    assert "<a href=" not in copy
    assert copy.count("<footer>") == 1
    assert "<code>outputs/demo/rpi4/r1/report.html</code>" in copy
