"""The model card of a run: the package's own, and where the model comes from."""

from engine.events import replay
from engine.report import card

PACKED = "# animals\n\nTells animals apart.\n\n- Made for: rpi4\n\n## Limits\n\nKnows these only.\n"
SAMPLE = {"key": "data", "name": "flowers", "digest": "sha256:" + "ab" * 32, "sample": True}
MADE = {"key": "made", "name": "figures", "digest": None, "path": None, "source": None}


def packaged(events, make_job, run_dir, **start):
    """A run whose stage `pack` made a package with a card."""
    events.start([make_job("pack")], **start).started("pack", taken="simulated on x86_64")
    (run_dir / "artifacts/pack/out").mkdir(parents=True)
    (run_dir / "artifacts/pack/out/card.md").write_text(PACKED)
    return replay(events.finished("pack", size_bytes=1.0).done().events)


def test_the_card_names_run_commit_data_and_where_figures_were_measured(events, make_job, tmp_path):
    state = packaged(events, make_job, tmp_path, assets=[SAMPLE, MADE], git_modified=True)
    text = card.card(tmp_path, state)
    for words in (
        "- Run: 20270115-080000-abcd, 2027-01-15 08:00:00 UTC, finished",
        "- Commit: 0123456789abcdef0123456789abcdef01234567, modified",
        "- Asset `data`: flowers (sample data); version abababababab; licence: not stated",
        "- Asset `made`: figures; licence: not stated; source: made by a stage of this run",
        "- Not measured on rpi4: the figures of pack were simulated on x86_64",
        "- Sample data: these figures say nothing about real data",
    ):
        assert words in text


def test_provenance_stands_between_the_summary_and_the_sections(events, make_job, tmp_path):
    text = card.card(tmp_path, packaged(events, make_job, tmp_path)) or ""
    assert text.index("Made for") < text.index("## Provenance") < text.index("## Limits\n\nKnows")
    assert "sample" not in text.lower()


def test_a_run_without_a_package_has_no_card(events, make_job, tmp_path):
    events.start([make_job("train")]).started("train").finished("train")
    assert card.card(tmp_path, replay(events.done().events)) is None


def test_a_commit_of_a_clean_tree_and_one_of_an_older_journal_are_named_alone(events, make_job):
    for more in ({}, {"git_modified": False}, {"git_modified": None}):
        state = replay(events.start([make_job("train")], **more).events)
        assert card.commit(state) == "0123456789abcdef0123456789abcdef01234567"


def test_code_outside_a_repository_has_no_commit(events, make_job):
    state = replay(events.start([make_job("train")], git_commit=None).events)
    assert card.commit(state) == "none: the code is not in a Git repository"
