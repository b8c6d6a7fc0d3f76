"""A cluster on this machine, for tests: it runs the tasks of pipelines that were submitted to
`kubeflow_api.KubeflowApi` as processes, with the paths, the cache and the order of Kubeflow Pipelines.

It reads only what a cluster reads: the specification in the request, and the data root. It has no
pods, images, limits or nodes.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.kubeflow_api import KubeflowApi

Json = dict[str, Any]


class Cluster:
    """Runs every run that the server gets."""

    def __init__(self, api: KubeflowApi, python_path: list[Path]) -> None:
        self.api, self.ran = api, []  # type: ignore[var-annotated]
        self.cached: list[str] = []  # tasks that were taken from the cache
        self.holds: dict[str, threading.Event] = {}  # task -> it starts when the event is set
        self.lost: dict[str, list[str]] = {}  # task -> why its next attempts are lost
        self.errors: dict[str, str] = {}  # task -> what the server says if it fails
        self.after: dict[str, Callable[[], None]] = {}  # task -> called when it has ended
        self.keeps_logs = True
        self._env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, python_path)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._cache: dict[str, dict[str, str]] = {}  # cache key -> output -> URI
        self._folder = Path(tempfile.mkdtemp(prefix="rpi-mlops-"))
        self._processes: dict[str, list[subprocess.Popen[bytes]]] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.RLock()
        api.created, api.terminated = self._start, self.kill

    def close(self) -> None:
        """End everything."""
        for event in self.holds.values():
            event.set()
        for run_id in list(self._processes):
            self.kill(run_id)
        for thread in self._threads:
            thread.join(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def hold(self, task: str) -> threading.Event:
        """Let the task wait until the returned event is set."""
        return self.holds.setdefault(task, threading.Event())

    def kill(self, run_id: str) -> None:
        """End the processes of a run."""
        with self._lock:
            for process in self._processes.get(run_id, []):
                process.kill()

    def _start(self, run: Json) -> None:
        self._processes[run["run_id"]] = []
        thread = threading.Thread(target=_Run(self, run).run, daemon=True)
        self._threads.append(thread)
        thread.start()


class _Run:
    """One run of a pipeline."""

    def __init__(self, cluster: Cluster, run: Json) -> None:
        self.cluster, self.api, self.run_id = cluster, cluster.api, run["run_id"]
        spec = run["pipeline_spec"]
        self.spec = spec.get("pipeline_spec", spec)
        self.tasks = self.spec["root"]["dag"]["tasks"]
        self.executors = self.spec["deploymentSpec"]["executors"]
        root = run["runtime_config"].get("pipeline_root")
        root = root or self.spec.get("defaultPipelineRoot") or str(cluster._folder / "root")
        self.root = f"{root}/{self.spec['pipelineInfo']['name']}/{self.run_id}"
        self.outputs: dict[str, dict[str, str]] = {}  # task -> output -> URI

    def run(self) -> None:
        """Run the tasks in their order, several at once."""
        self.api.set_run(self.run_id, "RUNNING")
        states: dict[str, str] = {}
        threads: dict[str, threading.Thread] = {}

        def execute(name: str) -> None:
            try:
                states[name] = self._task(name)
            except Exception as error:  # a run that never ends would tell nobody
                self.api.set_task(self.run_id, name, "FAILED", f"the test's cluster: {error!r}")
                states[name] = "FAILED"

        while len(states) < len(self.tasks) and not self._is_over():
            blocked = {name for name, state in states.items() if state != "SUCCEEDED"}
            for name, task in self.tasks.items():
                before = set(task.get("dependentTasks", []))
                if name in threads or name in states:
                    continue
                if before & blocked:
                    states[name] = "OMITTED"  # the server does not list it
                elif all(states.get(one) == "SUCCEEDED" for one in before):
                    threads[name] = threading.Thread(target=execute, args=(name,), daemon=True)
                    threads[name].start()
            threading.Event().wait(0.01)
        for thread in threads.values():
            thread.join()
        if not self._is_over():
            good = all(state == "SUCCEEDED" for state in states.values())
            self.api.set_run(self.run_id, "SUCCEEDED" if good else "FAILED")

    def _is_over(self) -> bool:
        return self.api.runs[self.run_id]["state"] in ("CANCELING", "CANCELED")

    def _task(self, name: str) -> str:
        task = self.tasks[name]
        executor = self.executors[self.spec["components"][task["componentRef"]["name"]]
                                  ["executorLabel"]]  # fmt: skip
        if "importer" in executor:
            self.outputs[name] = {"artifact": executor["importer"]["artifactUri"]["constant"]}
            self.api.set_task(self.run_id, name, "SUCCEEDED")
            return "SUCCEEDED"
        key = self._cache_key(name, task)
        if key and key in self.cluster._cache:
            self.outputs[name] = self.cluster._cache[key]
            self.cluster.cached.append(name)
            self.api.set_task(self.run_id, name, "SUCCEEDED")
            return "SUCCEEDED"
        return self._execute(name, task, executor["container"], key)

    def _cache_key(self, name: str, task: Json) -> str:
        options = task.get("cachingOptions", {})
        return f"{name} {options['cacheKey']}" if options.get("enableCache") else ""

    def _execute(self, name: str, task: Json, container: Json, key: str) -> str:
        self.api.set_task(self.run_id, name, "PENDING")
        if name in self.cluster.holds:
            self.cluster.holds[name].wait(60)
        if self._is_over():
            return "CANCELED"
        attempts = 1 + int(task.get("retryPolicy", {}).get("maxRetryCount", 0))
        state = "FAILED"
        for _ in range(attempts + len(self.cluster.lost.get(name, []))):
            self.api.set_task(self.run_id, name, "RUNNING")
            if why := (self.cluster.lost.get(name) or [""]).pop(0):
                self.api.set_task(self.run_id, name, "FAILED", why)
                continue
            state = self._attempt(name, task, container)
            if state == "SUCCEEDED":
                break
            if self._is_over():
                return "CANCELED"
            self.api.set_task(self.run_id, name, "FAILED", self.cluster.errors.get(name, ""))
        if state == "SUCCEEDED":
            if key:
                self.cluster._cache[key] = self.outputs[name]
            self.api.set_task(self.run_id, name, "SUCCEEDED")
        if after := self.cluster.after.get(name):
            after()
        return state

    def _attempt(self, name: str, task: Json, container: Json) -> str:
        """Run the container's command as KFP's launcher does: fetch inputs, run, store outputs."""
        scratch = Path(tempfile.mkdtemp(dir=self.cluster._folder))
        component = self.spec["components"][task["componentRef"]["name"]]
        inputs = self._inputs(task, scratch)
        made = component.get("outputDefinitions", {}).get("artifacts", {})
        salt = uuid.uuid4().hex
        uris = {one: f"{self.root}/{name}/{salt}/{one}" for one in made}
        paths = {one: scratch / "out" / one for one in made}
        (scratch / "out").mkdir()
        words = [
            _filled(word, inputs, paths, uris, scratch)
            for word in [*container["command"], *container.get("args", [])]
        ]
        status = self._process(name, words, scratch)
        if status == 0:
            for one, path in paths.items():
                if path.exists():
                    store(path, uris[one])
            self.outputs[name] = uris
        return "SUCCEEDED" if status == 0 else "FAILED"

    def _inputs(self, task: Json, scratch: Path) -> dict[str, Path]:
        found = {}
        for key, one in task.get("inputs", {}).get("artifacts", {}).items():
            source = one["taskOutputArtifact"]
            uri = self.outputs[source["producerTask"]][source["outputArtifactKey"]]
            found[key] = scratch / "in" / key
            fetch(uri, found[key])
        return found

    def _process(self, name: str, words: list[str], scratch: Path) -> int:
        assert words[0] == "python3"
        self.cluster.ran.append(name)
        with self.cluster._lock:
            process = subprocess.Popen(
                [sys.executable, *words[1:]],
                cwd=scratch,
                env=self.cluster._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            self.cluster._processes[self.run_id].append(process)
        text = ""
        assert process.stdout is not None
        for line in process.stdout:
            text += line.decode()
            if self.cluster.keeps_logs:
                self.api.set_log(self.run_id, name, text)
        process.stdout.close()
        return process.wait()


def _filled(
    word: str, inputs: dict[str, Path], paths: dict[str, Path], uris: dict[str, str], scratch: Path
) -> str:
    for key, path in inputs.items():
        word = word.replace(f"{{{{$.inputs.artifacts['{key}'].path}}}}", str(path))
    for key, path in paths.items():
        word = word.replace(f"{{{{$.outputs.artifacts['{key}'].path}}}}", str(path))
    if word != "{{$}}":
        return word
    artifacts = {key: {"artifacts": [{"name": key, "uri": uri}]} for key, uri in uris.items()}
    outputs = {"artifacts": artifacts, "outputFile": str(scratch / "executor-output.json")}
    return json.dumps({"inputs": {}, "outputs": outputs})


def store(path: Path, uri: str) -> None:
    """Store a file under a URI or path."""
    if "://" not in uri:
        Path(uri).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, uri)
        return
    import fsspec

    files, name = fsspec.core.url_to_fs(uri, skip_instance_cache=True)  # of another test's server
    files.put_file(str(path), name)


def fetch(uri: str, path: Path) -> None:
    """Fetch a file from a URI or path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if "://" not in uri:
        shutil.copyfile(uri, path)
        return
    import fsspec

    files, name = fsspec.core.url_to_fs(uri, skip_instance_cache=True)  # of another test's server
    files.get_file(name, str(path))


@contextmanager
def registry() -> Iterator[str]:
    """Yield the address of a registry that has every image under every tag, and no content."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", DIGEST)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


DIGEST = f"sha256:{'0' * 64}"
