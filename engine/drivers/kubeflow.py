"""Submits the plan to a Kubeflow Pipelines cluster, follows it, and commits its results."""

from engine.context import DriverContext
from engine.interfaces import Driver


def driver(context: DriverContext) -> Driver:
    """Return the driver for one run."""
    raise NotImplementedError
