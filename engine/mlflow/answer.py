"""Explains a server's answer that does not come from MLflow."""

import http
import json

_NO_ACCESS = (
    "write the user and the password into tracking.uri, or set MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD"
)


def problem(shown: str, status: int, body: bytes) -> str | None:
    """Return why the answer from this address is not MLflow's; None if it is an answer or an error
    of MLflow's API.
    """
    answers = f"{shown} answers with HTTP status {status}"
    if status in (401, 403):
        return f"{answers} (not allowed): {_way_in(body)}"
    if status == 429:
        return f"{answers} (too many requests)"
    if status >= 500:
        return f"{answers} ({_phrase(status)}){_message(body)}"
    if _is_mlflows(body):
        return None
    if status == 404:
        return f"{answers}: there is no MLflow at this address; check tracking.uri"
    if status >= 400:
        return f"{answers} ({_phrase(status)})"
    if status >= 300:
        return f"{answers}: it redirects to another address; set tracking.uri to that address"
    return (
        f"{shown} does not answer with MLflow's JSON; check tracking.uri" if body.strip() else None
    )


def _way_in(body: bytes) -> str:
    if b"Host header" in body:  # MLflow's protection against DNS rebinding
        return "start the server with --allowed-hosts and this address"
    return _NO_ACCESS


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase.lower()
    except ValueError:
        return "unknown"


def _message(body: bytes) -> str:
    """Return the first line of MLflow's error message."""
    message = _json(body).get("message")
    lines = message.splitlines() if isinstance(message, str) else []
    return f": {lines[0]:.200}" if lines else ""


def _is_mlflows(body: bytes) -> bool:
    return bool(_json(body)) or body.strip() == b"{}"


def _json(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
