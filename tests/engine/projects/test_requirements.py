"""A python_env.yaml, compared with an environment."""

from engine.projects import requirements

TEXT = """
python: "3.8"
dependencies:
  - scikit-learn==1.2.0
  - pandas>=2
  - numpy
  - left_pad[all] >= 1 ; python_version > "3"
  - -r more.txt
"""


def test_what_is_missing_or_has_another_version_is_named(tmp_path):
    (tmp_path / "python_env.yaml").write_text(TEXT)
    (tmp_path / "more.txt").write_text("# more\nPyYAML~=5.0\n--no-index\n")
    env = requirements.read(tmp_path / "python_env.yaml", "p")
    installed = {"scikit_learn": "1.9.1", "pandas": "3.0.6", "numpy": "1.26.4", "pyyaml": "6.0"}
    assert requirements.differences(env, installed, "3.11.7") == [
        "Python 3.8 (this is 3.11.7)",
        "scikit-learn==1.2.0 (this is 1.9.1)",
        "left_pad (not installed)",
        "PyYAML~=5.0 (this is 6.0)",
    ]


def test_an_environment_that_fits_has_no_differences(tmp_path):
    (tmp_path / "python_env.yaml").write_text('python: "3.11"\ndependencies: [numpy<2]\n')
    env = requirements.read(tmp_path / "python_env.yaml", "p")
    assert requirements.differences(env, {"numpy": "1.26.4"}, "3.11.7") == []
