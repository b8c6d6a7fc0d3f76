"""Runs as lists of events: `events` builds the envelope."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.run_events import EventBuilder, job


@pytest.fixture
def events() -> EventBuilder:
    return EventBuilder()


@pytest.fixture
def make_job() -> Callable[..., dict[str, Any]]:
    return job
