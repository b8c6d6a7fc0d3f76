"""The accelerator in Raspberry Pi's AI Camera, Sony's IMX500: `doctor`'s checks of camera, firmware and
packager on the Raspberry Pi, and of Java for Sony's converter on a PC. None of these is loaded.

The camera runs its network on its own frames, and returns tensors with each of them. A stage cannot
send it other data, so no stage opens it, no container gets access to it, and no figure of a stage
depends on it.
"""

import platform
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.accelerator import NO_ACCESS, Access
from engine.finding import Finding
from engine.stage import imx500
from engine.stage.imx500 import Camera

TITLE = "AI Camera"
BUSES: tuple[str, ...] = ()  # always on a CSI connector
RUNTIME = None  # models that run beside it on the CPU are ordinary ones
MEMORY = 8 << 20  # for weights, tensors and firmware, as the converter's report counts them

PACKAGER = "imx500-package"
_JAVA_WITHIN_S = 0.8  # doctor is quick
_CONFIG = "/boot/firmware/config.txt"
_FIRMWARE_FIX = "sudo apt-get install imx500-all && sudo reboot"


def seen() -> str:
    """Return an empty string: no stage opens the camera."""
    return ""


def is_usable(bus: str | None) -> bool:
    """Return whether a process of this user can now load a network into an AI Camera."""
    return any(camera.is_usable for camera in imx500.find())


def access(bus: str | None) -> Access:
    """Return no access, since no stage opens the camera.

    A program that does needs /dev/v4l-subdevN, and all of /dev/media* and /dev/video* that libcamera
    opens; their numbers differ from board to board (bluenviron/mediamtx#4347).
    """
    return NO_ACCESS


def findings() -> list[Finding]:
    """Return the machine's AI Cameras and their software, and what prevents their use."""
    return [*devices(), *software()]


def devices(
    sys_dir: Path = imx500.SYS, dev: Path = imx500.DEV, root: Path = Path("/")
) -> list[Finding]:
    """Return the AI Cameras, what prevents the use of each, and their missing firmware."""
    cameras = imx500.find(sys_dir, dev)
    if not cameras:
        return [_absent()]
    return [*map(_present, cameras), _firmware(imx500.missing_firmware(root))]


def software(machine: str | None = None) -> list[Finding]:
    """Return the packager, and on a PC the Java that the converter needs."""
    return [_packager(), *(_java() if (machine or platform.machine()) == "x86_64" else ())]


def _absent() -> Finding:
    """Return what to check: the firmware of the Raspberry Pi adds the camera only if it answers at boot."""
    return Finding(
        False,
        "AI Camera: no IMX500 on a CSI connector",
        "on the Raspberry Pi, check the cable and camera_auto_detect=1 in "
        f"{_CONFIG}, or write dtoverlay=imx500 there (dtoverlay=imx500,cam0 for the other "
        "connector of a Raspberry Pi 5), and reboot",
    )


def _present(camera: Camera) -> Finding:
    where = f"I2C {camera.id}" + (f", {camera.node}" if camera.node else "")
    what = f"AI Camera ({where}): {_MEANING.get(camera.state, camera.state)}"
    return Finding(camera.is_usable, what, _FIXES.get(camera.state, ""))


def _firmware(missing: Sequence[str]) -> Finding:
    if missing:
        what = f"AI Camera: firmware missing in /lib/firmware: {', '.join(missing)}"
        return Finding(False, what, _FIRMWARE_FIX)
    return Finding(True, f"AI Camera: firmware {', '.join(imx500.FIRMWARE)}")


def _packager() -> Finding:
    found = shutil.which(PACKAGER)
    return Finding(
        found is not None,
        f"{PACKAGER} ({found})" if found else f"{PACKAGER}, needed only on the Raspberry Pi",
        "sudo apt-get install imx500-tools, from Raspberry Pi OS",
    )


def _java() -> Iterator[Finding]:
    found = imx500.java(_JAVA_WITHIN_S)
    needed = f"Java {imx500.MIN_JAVA} for the AI Camera's converter"
    if found is None:
        yield Finding(False, f"{needed}: no java on PATH", imx500.JAVA_FIX)
    elif not found.is_new_enough:
        version = f"is version {found.version}" if found.version else "prints no version"
        yield Finding(False, f"{needed}: {found.path} {version}", imx500.JAVA_FIX)
    else:
        yield Finding(True, f"Java {found.version} for the AI Camera's converter ({found.path})")


_MEANING = {
    "no answer": "its driver is not bound, so the sensor did not answer",
    "node missing": "no /dev/v4l-subdevN",
}
_FIXES = {
    "no answer": "switch the Raspberry Pi off, seat the cable again at both ends, and look for "
    "errors: sudo dmesg | grep -i imx500",
    "node missing": "inside a container, pass /dev/v4l-subdev*; otherwise look for errors of the "
    "CSI receiver: sudo dmesg | grep -iE 'imx500|rp1-cfe|unicam'",
    "no permission": "sudo usermod -aG video $USER, and log in again",
}
