"""A pytest plugin for continuous integration: a test that is skipped fails the run.

RPI_MLOPS_MAY_SKIP names the markers whose tests may be skipped here, separated by commas.
"""

import os

import pytest

MARKERS = {"docker", "mirror", "qemu", "registry", "root", "slow", "ssh", "strace"}
_may_skip = set(filter(None, os.environ.get("RPI_MLOPS_MAY_SKIP", "").split(",")))
_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record a test that was skipped although this machine could run it."""
    marked = MARKERS & set(report.keywords)
    if report.skipped and not hasattr(report, "wasxfail") and not marked & _may_skip:
        _skipped.append(f"{report.nodeid} ({', '.join(sorted(marked)) or 'not marked'})")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail an otherwise successful session if tests were skipped."""
    if _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the skipped tests."""
    if _skipped:
        terminalreporter.section("tests that were skipped")
        terminalreporter.write("\n".join(_skipped) + "\n")
