"""Reads what uv or pip writes while it installs packages: how far it is, and why it failed."""

import re

UNREACHABLE = "the package index cannot be reached"
CONNECT = "connect to the network, or set the index: UV_INDEX_URL=URL or PIP_INDEX_URL=URL"
_MOST = 200  # characters of a complaint
# of uv, of pip's urllib3, and of the system
_NO_CONNECTION = re.compile(
    r"error sending request|dns error|lookup address|connect error|NewConnectionError"
    r"|Failed to establish a new connection|Max retries exceeded|name resolution"
    r"|ConnectTimeout|ReadTimeout|operation timed out|Network is unreachable",
    re.IGNORECASE,
)
_NOTHING_FOUND = re.compile(r"Could not find a version|No matching distribution")


def phase(text: str, installed: int, packages: int) -> str:
    """Return what the installer does at the end of its output.

    installed: the packages that are in the environment by now, of `packages`.
    """
    if re.search(r"^Installed \d+ package", text, re.MULTILINE):  # uv: the next line ends it
        return f"{_of(installed, packages)} installed, compiling their Python files"
    if installed or re.search(r"^(Prepared \d+|Installing collected) package", text, re.MULTILINE):
        return f"all are downloaded, {_of(installed, packages)} installed"
    return f"downloading {packages} packages"


def failure(text: str) -> tuple[str, str]:
    """Return why the installer failed, in one line, and what helps; the latter is empty if unknown."""
    lines = [line.strip() for line in text.splitlines()]
    errors = _after("error:", lines)
    causes = _after("cause:", lines)
    is_cut_off = any(map(_NO_CONNECTION.search, [*errors, *causes]))
    if not is_cut_off and errors and all(map(_NOTHING_FOUND.search, errors)):
        is_cut_off = _NO_CONNECTION.search(text) is not None  # pip: warnings before its error
    if is_cut_off:
        return UNREACHABLE, CONNECT
    first = [*errors, *filter(None, reversed(lines)), "the installer gives no reason"][0]
    last = f" ({_shortened(causes[-1])})" if errors and causes else ""
    return f"{first[:_MOST]}{last}", ""


def _shortened(cause: str) -> str:
    """Return a cause without its middle: its end says what the system's error was."""
    half = _MOST // 2
    return cause if len(cause) <= _MOST else f"{cause[:half]} ... {cause[-half:]}"


def _after(label: str, lines: list[str]) -> list[str]:
    return [line[len(label) :].strip() for line in lines if line.lower().startswith(label)]


def _of(installed: int, packages: int) -> str:
    return f"{installed} of {packages} packages"
