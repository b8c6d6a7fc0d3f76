"""Mistakes in what a cluster needs: `executor=kubeflow` and the section `kubeflow`."""

from pathlib import Path

from tests.messages import commands
from tests.messages.rows import Subject, Told

STAGES = {
    "host": "{command: [touch, '{outputs.y}'], outputs: [y], runs_on: host}",
    "gpu": "{uses: mystages.make, resources: {gpu: 1}}",
    "target_gpu": "{uses: mystages.make, resources: {gpu: 1}, runs_on: target}",
    "secret": "{uses: mystages.make, pass_env: [TOKEN, PASSWORD]}",
    "long": f"{{uses: mystages.make, env: {{LONG: {'x' * 100_000}}}}}",
    "page": "{command: [touch, '{outputs.mlpipeline_metrics}'], outputs: [mlpipeline_metrics]}",
}
ROOT, REGISTRY = "kubeflow.data_root=s3://bucket/p", "kubeflow.registry=localhost:5000/p"
CLUSTER = ["executor=kubeflow", "output=p.yaml", ROOT, REGISTRY]
LABEL = "kubeflow.gpu_label=nvidia.com/gpu.present=true"
ROWS = {
    "no_goal": (
        ["executor=kubeflow", ROOT, REGISTRY],
        "executor=kubeflow",
        "submit",
        "output=pipeline.yaml",
    ),
    "output_of_another_executor": (
        ["output=p.yaml"],
        "output=p.yaml",
        "cluster",
        "executor=kubeflow",
    ),
    "output_of_another_kind": (
        ["executor=kubeflow", "output=p.json", ROOT, REGISTRY],
        "output=p.json",
        "yaml",
        "output=p.yaml",
    ),
    "no_data_root": (
        ["executor=kubeflow", "output=p.yaml", REGISTRY],
        "kubeflow.data_root",
        "assets",
        "s3://BUCKET/PREFIX",
    ),
    "relative_data_root": (
        ["executor=kubeflow", "output=p.yaml", REGISTRY, "kubeflow.data_root=data"],
        "kubeflow.data_root=data",
        "absolute",
        "kubeflow.data_root=/data",
    ),
    "data_root_elsewhere": (
        ["executor=kubeflow", "output=p.yaml", REGISTRY, "kubeflow.data_root=http://x/y"],
        "kubeflow.data_root=http://x/y",
        "s3",
        "s3://BUCKET/PREFIX",
    ),
    "bucket": (
        ["executor=kubeflow", "output=p.yaml", REGISTRY, "kubeflow.data_root=s3://Bad Bucket/p"],
        "kubeflow.data_root=s3://Bad Bucket/p",
        "'Bad Bucket'",
        "3 to 63",
    ),
    "parameters": (
        [*CLUSTER, "usecase=long"],
        "conf/usecases/long.yaml: stages.a.params",
        "command line",
        "as an asset",
    ),
    "no_volume": (
        ["executor=kubeflow", "kubeflow.host=http://x", REGISTRY, "kubeflow.data_root=/data"],
        "kubeflow.volume",
        "/data",
        "PersistentVolumeClaim",
    ),
    "no_registry": (
        ["executor=kubeflow", "output=p.yaml", ROOT],
        "kubeflow.registry",
        "images",
        "kubeflow.registry=HOST",
    ),
    "label": (
        [*CLUSTER, "kubeflow.gpu_label=gpus"],
        "kubeflow.gpu_label=gpus",
        "label",
        "KEY=VALUE",
    ),
    "no_file_to_draw": (
        ["graph", "input=gone.yaml"],
        "input=gone.yaml",
        "file",
        "output=FILE.yaml",
    ),
    "no_pipeline_to_draw": (
        ["graph", "input=conf/usecases/host.yaml"],
        "input=conf/usecases/host.yaml",
        "pipeline",
        "executor=kubeflow",
    ),
    "host": (
        [*CLUSTER, "usecase=host"],
        "conf/usecases/host.yaml: stages.a.runs_on",
        "process",
        "executor=auto",
    ),
    "gpu_nowhere": (
        [*CLUSTER, "usecase=gpu"],
        "conf/usecases/gpu.yaml: stages.a.resources.gpu",
        "gpu_label",
        "kubeflow.gpu_label=",
    ),
    "gpu_without_an_image": (
        [*CLUSTER, "usecase=gpu", LABEL],
        "conf/usecases/gpu.yaml: stages.a.image",
        "CPU",
        "CUDA",
    ),
    "gpu_of_the_target": (
        [*CLUSTER, "usecase=target_gpu", LABEL],
        "conf/usecases/target_gpu.yaml: stages.a.resources.gpu",
        "target",
        "runs_on: build",
    ),
    "output_of_a_page": (
        [*CLUSTER, "usecase=page"],
        "conf/usecases/page.yaml: stages.a.outputs.mlpipeline_metrics",
        "metrics",
        "rename",
    ),
    "name_in_kubernetes": (
        [*CLUSTER, "kubeflow.volume=My_Data"],
        "kubeflow.volume=My_Data",
        "Kubernetes",
        "lower-case",
    ),
    "damaged_pipeline_to_draw": (
        ["graph", "input=conf/damaged.yaml"],
        "input=conf/damaged.yaml",
        "tasks",
        "write it again",
    ),
    "no_secret_and_a_host": (
        ["executor=kubeflow", "kubeflow.host=http://127.0.0.1:9", ROOT, REGISTRY, "usecase=secret"],
        "conf/usecases/secret.yaml: stages.a.pass_env",
        "PASSWORD",
        "kubeflow.secret=NAME",
    ),
    "no_secret": (
        [*CLUSTER, "usecase=secret"],
        "conf/usecases/secret.yaml: stages.a.pass_env",
        "PASSWORD",
        "kubeflow.secret=NAME",
    ),
}


def provoke(words: list[str], folder: Path) -> list[Told]:
    """Run a command that must exit with status 2 and write nothing, and return its error message."""
    files = {
        f"conf/usecases/{name}.yaml": f"stages: {{a: {stage}}}\n" for name, stage in STAGES.items()
    }
    files["conf/damaged.yaml"] = "root: {dag: {tasks: [a]}}\ncomponents: {}\ndeploymentSpec: {}\n"
    told = commands.provoke(words, folder, files)
    assert not list(folder.glob("p.*"))
    return told


SUBJECTS = {"cluster": Subject(ROWS, provoke)}
