"""Which of a task's models sees the whole frame, and so can run in the camera."""

from __future__ import annotations

from importlib import import_module


def role_of(task: str) -> str | None:
    """Return the role of the task's model that sees the whole frame; None if no model does."""
    role: str | None = import_module(f"stages.tasks.{task}").SEES
    return role
