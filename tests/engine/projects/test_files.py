"""The files that belong to a project."""

from engine.projects import files


def test_version_control_caches_and_results_do_not_belong_to_a_project(tmp_path):
    for name in (
        ".git/config",
        "__pycache__/a.pyc",
        "outputs/x",
        "mlruns/y",
        "old.pyc",
        "a/b.py",
        "a/outputs/c.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert list(files.digests(tmp_path, "p")) == ["a/b.py", "a/outputs/c.py"]


def test_content_and_the_right_to_run_a_file_are_part_of_its_digest(tmp_path):
    (tmp_path / "run.sh").write_text("true")
    plain = files.digests(tmp_path, "p")
    (tmp_path / "run.sh").chmod(0o755)
    program = files.digests(tmp_path, "p")
    (tmp_path / "run.sh").write_text("false")
    assert len({tuple(one.items()) for one in (plain, program, files.digests(tmp_path, "p"))}) == 3


def test_a_link_to_a_file_of_the_project_counts_as_the_file(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").symlink_to("a")
    found = files.digests(tmp_path, "p")
    assert found["a"] == found["b"]
