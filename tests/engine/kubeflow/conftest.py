"""Plans of a user's folder and of the project, compiled with references to images that exist nowhere."""

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine import compose, planning, registration
from engine.kubeflow import pipeline
from engine.kubeflow.pipeline import Pipeline
from engine.kubeflow.tasks import Sources
from engine.plan import Plan
from engine.request import Request

BUCKET = ("kubeflow.data_root=s3://bucket/p", "kubeflow.registry=localhost:5000/p")


@dataclass
class Compiled:
    """A plan and its pipeline."""

    request: Request
    plan: Plan
    pipeline: Pipeline

    @property
    def tasks(self) -> dict[str, Any]:
        """All tasks by name."""
        return self.pipeline.spec["root"]["dag"]["tasks"]

    def task(self, stage: str) -> dict[str, Any]:
        """The stage's task."""
        return self.tasks[self.pipeline.names.stages[stage]]

    def component(self, stage: str) -> dict[str, Any]:
        """Its interface."""
        return self.pipeline.spec["components"][f"comp-{self.pipeline.names.stages[stage]}"]

    def container(self, stage: str) -> dict[str, Any]:
        """Its image, command and resources."""
        task = self.pipeline.names.stages[stage]
        return self.pipeline.spec["deploymentSpec"]["executors"][f"exec-{task}"]["container"]

    def job(self, stage: str) -> dict[str, Any]:
        """The job that its step gets."""
        return json.loads(self.container(stage)["command"][4])

    def pod(self, stage: str) -> dict[str, Any]:
        """What Kubernetes is told about its pod."""
        executors = self.pipeline.platforms["platforms"]["kubernetes"]["deploymentSpec"][
            "executors"
        ]
        return executors[f"exec-{self.pipeline.names.stages[stage]}"]


def reference(full_name: str) -> str:
    """Return an image by a digest that nothing has."""
    return f"localhost:5000/p/{full_name.partition(':')[0]}@sha256:{'0' * 64}"


@pytest.fixture
def compiled(tmp_path, monkeypatch) -> Callable[..., Compiled]:
    """Compile what a command line asks for."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    return compiler(tmp_path)


def compiler(folder: Path) -> Callable[..., Compiled]:
    """Return a function that compiles what a command line asks for."""

    def compile_line(*words: str, dirs: tuple[Path, ...] = ()) -> Compiled:
        flags = [word for folder in dirs for word in ("--config-dir", str(folder))]
        given = [
            f"outputs={folder}/outputs",
            "tracking=none",
            "executor=kubeflow",
            *BUCKET,
            *words,
        ]
        request = compose.single(registration.register([*flags, *given]))
        plan = planning.plan(request).plan
        uris = {one: f"s3://bucket/p/by-digest/{one}" for one in pipeline.needed(plan, plan.jobs)}
        assets = plan.assets.values()
        file_names = {f"asset:{one.key}": one.path.name for one in assets if one.path.is_file()}
        made = pipeline.compiled(
            plan,
            request.settings.kubeflow,
            Sources(image=reference, uris=uris, file_names=file_names),
        )
        return Compiled(request, plan, made)

    return compile_line


@pytest.fixture
def mine(project, compiled) -> Callable[..., Compiled]:
    """Compile a use case with these stages, of a user's folder."""

    def compile_stages(stages: str, *words: str) -> Compiled:
        project.usecase("mine", f"name: mine\nstages:\n{stages}")
        return compiled(
            "usecase=mine", "stage_packages=[mystages]", *words, dirs=(project.path / "conf",)
        )

    return compile_stages


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that nobody signed, and its key."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return files
