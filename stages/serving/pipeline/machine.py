"""Temperature, throttling and memory of the machine, from /sys, /proc and the Raspberry Pi's firmware."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Optional

# `vcgencmd get_throttled`: bits now, and the same bits 16 higher if it happened since the start
# (raspberrypi.com/documentation/computers/os.html, get_throttled)
_UNDERVOLTAGE, _CAPPED, _THROTTLED, _SOFT_LIMIT = 1, 2, 4, 8
_FIRMWARE = "devices/platform/soc/soc:firmware/get_throttled"
_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Heat:
    """What the machine says of its heat and its power; None: it does not say."""

    temperature_c: Optional[float] = None
    is_throttled: Optional[bool] = None
    is_undervolted: Optional[bool] = None


def heat(sys: Path = Path("/sys"), ask: "Optional[Callable[[], str]]" = None) -> Heat:
    """Return the state now; ask: returns the output of `vcgencmd get_throttled`."""
    bits = _bits(_content(sys / _FIRMWARE))
    if bits is None:
        bits = _bits((ask or _vcgencmd)())
    if bits is None:
        return Heat(_temperature_c(sys))
    is_throttled = bool(bits & (_CAPPED | _THROTTLED | _SOFT_LIMIT))
    return Heat(_temperature_c(sys), is_throttled, bool(bits & _UNDERVOLTAGE))


def memory_mb(pid: int, proc: Path = Path("/proc")) -> float:
    """Return a process's share of memory (PSS), or all of its pages if the kernel does not say; 0: ended."""
    for file, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        for line in _content(proc / str(pid) / file).splitlines():
            if line.startswith(key):
                return int(line.split()[1]) / 1024
    return 0.0


def measures(processes: "Dict[str, int]") -> "Dict[str, float]":
    """Return the machine's metrics by their Prometheus name; processes: ids by name."""
    found, now = {}, heat()
    if now.temperature_c is not None:
        found["serving_temperature_celsius"] = now.temperature_c
    if now.is_throttled is not None:
        found["serving_throttled"] = float(now.is_throttled)
        found["serving_undervoltage"] = float(bool(now.is_undervolted))
    for name, pid in processes.items():
        label = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        found[f'serving_memory_bytes{{process="{label}"}}'] = memory_mb(pid) * 2**20
    return found


def _temperature_c(sys: Path) -> Optional[float]:
    """Return the temperature of the hottest zone that is plausible."""
    zones = [
        _content(zone / "temp") for zone in sorted((sys / "class/thermal").glob("thermal_zone*"))
    ]
    found = [int(text) / 1000 for text in zones if text.strip().lstrip("-").isdigit()]
    return max((value for value in found if -40 < value < 150), default=None)


def _bits(text: str) -> Optional[int]:
    """Return the bits of `throttled=0x50005`, or of the bare number in /sys."""
    try:
        return int(text.strip().rpartition("=")[2], 16)
    except ValueError:
        return None


def _vcgencmd() -> str:
    try:
        command = ["vcgencmd", "get_throttled"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
