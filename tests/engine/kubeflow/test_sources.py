"""What a plan needs is uploaded once, with its content unchanged."""

import pytest

from engine import compose, planning, registration
from engine.dispatch import executor_context
from engine.kubeflow import pipeline, sources
from engine.kubeflow.data import DataRoot
from engine.store import Store


@pytest.fixture
def plan_of(project, tmp_path):
    """Plan a use case whose data root is a folder; return the plan and the executors' context."""
    root = tmp_path / "data"
    root.mkdir()

    def plan(stages, *words):
        project.usecase("mine", f"name: mine\nstages:\n{stages}")
        flags = ["--config-dir", str(project.path / "conf"), "usecase=mine", *words]
        given = [f"outputs={project.outputs}", "tracking=none", "stage_packages=[mystages]",
                 f"kubeflow.data_root={root}", "kubeflow.registry=localhost:5000/p"]  # fmt: skip
        request = compose.single(registration.register([*flags, *given]))
        return planning.plan(request).plan, executor_context(request)

    return plan


def _quiet(file, done, total):
    pass


def test_a_users_folder_is_uploaded_once_and_comes_back_unchanged(plan_of, project, tmp_path):
    numbers = project.path / "numbers"
    (numbers / "empty").mkdir(parents=True)
    (numbers / "tool").write_text("3")
    (numbers / "tool").chmod(0o755)
    stage = "  b: {uses: mystages.double, inputs: {number: 'asset:numbers'}}\n"
    plan, context = plan_of(f"{stage}assets: {{numbers: {numbers}}}\n", "executor=kubeflow")
    uris = sources.gather(plan, plan.jobs, context, _quiet).uris
    assert sources.gather(plan, plan.jobs, context, _quiet).uris == uris
    assert len(list((tmp_path / "data" / "by-digest").iterdir())) == 1
    back = tmp_path / "back"
    DataRoot(str(tmp_path / "data"), _quiet).get(uris["asset:numbers"], back)
    assert Store(context.store).assets.of(back) == Store(context.store).assets.of(numbers)


def test_the_output_of_a_stage_that_does_not_run_comes_from_the_store(
    plan_of, project, give, tmp_path
):
    stages = "  a: {uses: mystages.make}\n  b: {uses: mystages.double, inputs: {number: a.data}}\n"
    plan_of(stages, "executor=local")
    assert give("usecase=mine", "until=[a]").status == 0
    plan, context = plan_of(stages, "executor=local")
    uris = sources.gather(plan, ["b"], context, _quiet).uris
    assert set(uris) == {"a.data"} == pipeline.needed(plan, ["b"])
    with open(uris["a.data"]) as file:
        assert file.read() == "1"


def test_the_files_of_a_project_are_uploaded_as_a_folder(plan_of, project, tmp_path):
    folder = project.path / "theirs"
    folder.mkdir()
    (folder / "MLproject").write_text(
        "name: theirs\nentry_points:\n  main:\n    parameters: {model: path}\n"
        "    command: 'python main.py {model}'\n"
    )
    (folder / "main.py").write_text("print(1)\n")
    stage = f"  a: {{mlproject: {{uri: {folder}, env_manager: local}}, outputs: [model]}}\n"
    plan, context = plan_of(stage, "executor=local")
    projects = sources.gather(plan, ["a"], context, _quiet).projects
    back = tmp_path / "back"
    DataRoot(str(tmp_path / "data"), _quiet).get(projects["a"], back)
    assert sorted(path.name for path in back.iterdir()) == ["MLproject", "main.py"]
