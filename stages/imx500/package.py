"""Makes network.rpk, the file that the AI Camera loads, with Raspberry Pi's imx500-package."""

from typing import TYPE_CHECKING

from engine.stage import In, Out, StageError, note

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = ("imx500-package",)
_CONVERTED, _RESULT = "packerOut.zip", "network.rpk"


def package(package: In, network: Out, *, role: str = "model") -> None:
    """Run `imx500-package` on the network of one role; it exists only in Raspberry Pi OS.

    package: the package folder of a run for a target with an AI Camera: models/ROLE/packerOut.zip
    network: a folder with network.rpk
    role:    whose model runs in the camera
    StageError: the role has no network for the camera, or imx500-package is missing or refuses it.
    """
    _call([_program(), "-i", str(_converted(package, role)), "-o", str(network)])
    if not (network / _RESULT).is_file():
        raise StageError(f"{PROGRAMS[0]} ended without an error, but made no {_RESULT}")
    note(f"copy {_RESULT} to where your program loads it: it is in this run's folder, in artifacts")


def _converted(package: "Path", role: str) -> "Path":
    path = package / "models" / role / _CONVERTED
    if path.is_file():
        return path
    roles = sorted(found.parent.name for found in package.glob(f"models/*/{_CONVERTED}"))
    why = f"the package has no {_CONVERTED} for the role '{role}'"
    if roles:
        raise StageError(f"{why}; it has one for: {', '.join(roles)}. Set params.role={roles[0]}")
    raise StageError(
        f"{why}, nor for another: run the use case for a target with an AI Camera, and give the "
        "package folder of that run"
    )


def _program() -> str:
    import shutil

    program = shutil.which(PROGRAMS[0])
    if program is None:
        raise StageError(
            f"{PROGRAMS[0]} is not found on PATH: on Raspberry Pi OS, install it with "
            "'sudo apt-get install imx500-tools'; it does not exist for other systems"
        )
    return program


def _call(command: "list[str]") -> None:
    """Run the command, print what it says, and raise StageError with its last line if it fails."""
    import subprocess
    import sys

    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    if done.returncode:
        said = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        why = said[-1] if said else "it gives no reason"
        raise StageError(f"{PROGRAMS[0]} failed with exit status {done.returncode}: {why}")
