"""Extracts the network of one role from a package, for Raspberry Pi's imx500-package."""

from engine.stage import In, Out, StageError

PROGRAMS = ("imx500-package",)
_CONVERTED = "packerOut.zip"


def extract(package: In, converted: Out, *, role: str = "model") -> None:
    """Copy the role's packerOut.zip, which the stage after this one gives to `imx500-package`.

    package:   the package folder of a run for a target with an AI Camera: models/ROLE/packerOut.zip
    converted: a folder with packerOut.zip
    role:      whose model runs in the camera
    StageError: the role has no network for the camera, or imx500-package is not installed.
    """
    import shutil

    path = package / "models" / role / _CONVERTED
    if not path.is_file():
        raise StageError(
            _lacking(role, [p.parent.name for p in package.glob(f"models/*/{_CONVERTED}")])
        )
    if shutil.which(PROGRAMS[0]) is None:
        raise StageError(
            f"{PROGRAMS[0]} is not found on PATH: on Raspberry Pi OS, install it with "
            "'sudo apt-get install imx500-tools'; it does not exist for other systems"
        )
    converted.mkdir()
    shutil.copyfile(path, converted / _CONVERTED)


def _lacking(role: str, roles: "list[str]") -> str:
    why = f"the package has no {_CONVERTED} for the role '{role}'"
    if roles:
        found = sorted(roles)
        return f"{why}; it has one for: {', '.join(found)}. Set params.role={found[0]}"
    return (
        f"{why}, nor for another: run the use case for a target with an AI Camera, and give the "
        "package folder of that run"
    )
