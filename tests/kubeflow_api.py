"""A server on loopback that speaks the parts of KFP's v2beta1 API that the engine uses. It executes
nothing: tests set the states of tasks, and choose what goes wrong.

Task details are as KFP's API server makes them of Argo's nodes: a task, its driver and its executor
are separate entries, and a task names its pod only as a child (api_converter.go, workflow.go).
"""

import json
import re
import ssl
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
Json = dict[str, Any]


@dataclass
class Fault:
    """What goes wrong with the next requests whose method and path match."""

    status: int = 503  # 0: the connection is closed without an answer
    count: int = 1
    path: str = ""  # a regular expression, searched in "METHOD /path"
    executes: bool = False  # the request is executed all the same
    body: str = '{"error": "try again later", "code": 14, "message": "try again later"}'
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


@dataclass
class Task:
    """One task of a run, as a test drives it."""

    state: str = "PENDING"
    history: list[Json] = field(default_factory=list)
    pod: str = ""
    error: str = ""


class KubeflowApi:
    """The server. Use it as a context manager; `url` is its address."""

    def __init__(self, certificate: Path | None = None, key: Path | None = None) -> None:
        self.runs: dict[str, Json] = {}
        self.tasks: dict[str, dict[str, Task]] = {}  # run id -> name of the task -> task
        self.experiments: dict[str, Json] = {}
        self.logs: dict[str, str] = {}  # pod -> its log
        self.requests: list[tuple[str, str]] = []  # method, path with query
        self.tokens_seen: list[str] = []
        self.faults: list[Fault] = []
        self.token: str | None = None  # the only token that is accepted; None: no token is needed
        self.delay_s = 0.0
        # (pattern of "METHOD /path", seconds, whether the request is executed before the delay)
        self.delays: list[tuple[str, float, bool]] = []
        self.is_deaf = False  # requests that are being delayed are never executed
        self.page_size_most = 100
        self.next_page = ""  # the token that each page names, so that a list has no end
        self.created: Callable[[Json], None] = lambda run: None  # called for each new run
        self.terminated: Callable[[str], None] = lambda run_id: None
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail(self, **fault: Any) -> None:
        """Let the next requests fail as a `Fault` says."""
        self.faults.append(Fault(**fault))

    def count(self, pattern: str) -> int:
        """Return how many requests matched the regular expression in "METHOD /path"."""
        return sum(bool(re.search(pattern, f"{m} {path}")) for m, path in self.requests)

    def add_run(self, body: Json) -> Json:
        """Create a run, as the API does."""
        with self.lock:
            run_id = str(uuid.uuid4())
            run = {
                "storage_state": "AVAILABLE",
                **body,
                "run_id": run_id,
                "created_at": _now(),
                "state": "PENDING",
                "state_history": [{"update_time": _now(), "state": "PENDING"}],
            }
            self.runs[run_id], self.tasks[run_id] = run, {}
        self.created(run)
        return run

    def set_run(self, run_id: str, state: str) -> None:
        """Set the state of a run."""
        with self.lock:
            run = self.runs[run_id]
            run["state"] = state
            run["state_history"].append({"update_time": _now(), "state": state})
            if state in ENDED:
                run["finished_at"] = _now()

    def set_task(self, run_id: str, name: str, state: str, error: str = "") -> None:
        """Set the state of a task; it is kept in the task's history."""
        with self.lock:
            task = self.tasks[run_id].setdefault(name, Task())
            task.state, task.error = state, error
            entry = {"update_time": _now(), "state": state}
            task.history.append({**entry, **({"error": {"message": error}} if error else {})})
            task.pod = task.pod or f"run-{run_id[:5]}-{abs(hash((run_id, name))) % 10**9}"

    def set_log(self, run_id: str, name: str, text: str) -> None:
        """Set the log of a task's pod."""
        with self.lock:
            self.logs[self.tasks[run_id][name].pod] = text

    def terminate(self, run_id: str) -> None:
        """End a run and its tasks, as the API does."""
        self.set_run(run_id, "CANCELING")
        self.terminated(run_id)
        for name, task in self.tasks[run_id].items():
            if task.state not in ENDED:
                self.set_task(run_id, name, "FAILED")
        self.set_run(run_id, "CANCELED")

    def described(self, run_id: str) -> Json:
        """Return a run with the details of its tasks."""
        with self.lock:
            details: list[Json] = [{"display_name": "root", "state": self.runs[run_id]["state"]}]
            for name, task in self.tasks[run_id].items():
                details += _details(run_id, name, task)
            return {**self.runs[run_id], "run_details": {"task_details": details}}


def _details(run_id: str, name: str, task: Task) -> list[Json]:
    entry = {"run_id": run_id, "task_id": str(uuid.uuid4()), "create_time": _now()}
    error = {"error": {"code": 2, "message": task.error}} if task.error else {}
    whole = {
        **entry,
        "display_name": name,
        "state": task.state,
        "state_history": task.history,
        "child_tasks": [{"pod_name": task.pod}],
        **error,
    }
    driver = {**entry, "display_name": f"{name}-driver", "state": "SUCCEEDED"}
    return [driver, whole, {**entry, "display_name": "executor", "state": task.state}]


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _handler(api: KubeflowApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve({})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            data = self.rfile.read(length)
            self._serve(json.loads(data) if data else {})

        def _serve(self, body: Json) -> None:
            with api.lock:
                api.requests.append((self.command, self.path))
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                api.tokens_seen.append(token)
                fault = self._fault()
            time.sleep(api.delay_s)
            if api.token is not None and token != api.token:
                self._send(401, json.dumps({"error": "Unauthorized", "code": 16}))
                return
            if fault is None or fault.executes:
                status, text = self._executed(body)
            if fault is None:
                self._send(status, text)
            elif fault.status == 0:
                self.close_connection = True
            else:
                self._send(fault.status, fault.body, dict(fault.headers))

        def _executed(self, body: Json) -> tuple[int, str]:
            for pattern, seconds, is_first in api.delays:
                if re.search(pattern, f"{self.command} {self.path}"):
                    answer = _answer(api, self.command, self.path, body) if is_first else None
                    end = time.monotonic() + seconds
                    while time.monotonic() < end and api.delays:
                        time.sleep(0.02)
                    if answer is None and api.is_deaf:
                        return 503, "{}"
                    return answer or _answer(api, self.command, self.path, body)
            return _answer(api, self.command, self.path, body)

        def _fault(self) -> Fault | None:
            for fault in api.faults:
                if fault.count and re.search(fault.path, f"{self.command} {self.path}"):
                    fault.count -= 1
                    return fault
            return None

        def _send(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
            data = text.encode()
            self.send_response(status)
            for key, value in (headers or {"Content-Type": "application/json"}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler


def _answer(api: KubeflowApi, method: str, path: str, body: Json) -> tuple[int, str]:
    parts = urlsplit(path)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    for pattern, serve in _ROUTES.items():
        if found := re.fullmatch(pattern, f"{method} {parts.path}"):
            status, answer = serve(api, query, body, *found.groups())
            return status, answer if isinstance(answer, str) else json.dumps(answer)
    return 404, "404 page not found"


def _health(api: KubeflowApi, query: Json, body: Json) -> tuple[int, Any]:
    return 200, {"multi_user": False, "pipeline_store": "database"}


def _list(api: KubeflowApi, query: Json, body: Json, kind: str) -> tuple[int, Any]:
    with api.lock:
        found = [*(api.runs if kind == "runs" else api.experiments).values()]
    for one in json.loads(query.get("filter", "{}")).get("predicates", []):
        if one["operation"] != "EQUALS" or one["key"] not in ("name", "display_name"):
            return 400, {"code": 3, "message": "invalid filter"}
        found = [entry for entry in found if entry["display_name"] == one["string_value"]]
    start = int(query.get("page_token", 0))
    size = min(int(query.get("page_size", 20)), api.page_size_most)
    page = {kind: found[start : start + size], "total_size": len(found)}
    if start + size < len(found):
        page["next_page_token"] = str(start + size)
    if api.next_page:
        page["next_page_token"] = api.next_page
    return 200, page


def _new_experiment(api: KubeflowApi, query: Json, body: Json) -> tuple[int, Any]:
    experiment = {**body, "experiment_id": str(uuid.uuid4()), "created_at": _now()}
    api.experiments[experiment["experiment_id"]] = experiment
    return 200, experiment


def _new_run(api: KubeflowApi, query: Json, body: Json) -> tuple[int, Any]:
    if not body.get("display_name") or not body.get("pipeline_spec"):
        return 400, {"code": 3, "message": "Failed to create a new run: invalid input"}
    return 200, api.add_run(body)


def _run(api: KubeflowApi, query: Json, body: Json, run_id: str) -> tuple[int, Any]:
    if run_id not in api.runs:
        return 404, {"code": 5, "message": f"Run {run_id} not found"}
    return 200, api.described(run_id)


def _terminate(api: KubeflowApi, query: Json, body: Json, run_id: str) -> tuple[int, Any]:
    if run_id not in api.runs:
        return 404, {"code": 5, "message": f"Run {run_id} not found"}
    if api.runs[run_id]["state"] in ENDED:
        return 400, {"code": 9, "message": "the run has already finished"}
    api.terminate(run_id)
    return 200, {}


def _log(api: KubeflowApi, query: Json, body: Json, run_id: str, pod: str) -> tuple[int, Any]:
    text = api.logs.get(pod)
    return (200, text) if text is not None else (500, {"error_message": "pods not found"})


_ROUTES: dict[str, Callable[..., tuple[int, Any]]] = {
    "GET /apis/v2beta1/healthz": _health,
    "GET /apis/v2beta1/(runs|experiments)": _list,
    "POST /apis/v2beta1/experiments": _new_experiment,
    "POST /apis/v2beta1/runs": _new_run,
    "GET /apis/v2beta1/runs/([^/:]+)": _run,
    "POST /apis/v2beta1/runs/([^/:]+):terminate": _terminate,
    "GET /apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log": _log,
}
