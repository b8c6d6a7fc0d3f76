"""An image that is also an environment: a lock with one small wheel, which is in a local folder."""

import hashlib
import platform
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.images import ARCHITECTURES
from engine.stage import virtualenv
from engine.target import platform_of
from engine.tools import definition
from engine.tools.definition import Environment

HERE = platform_of(platform.machine())
ARCH = ARCHITECTURES[HERE]
HAS_UV = virtualenv.installer(Path("python"), {})[1:2] == ["pip"]
PYTHON = "{}.{}".format(*platform.python_version_tuple()[:2])


@dataclass(frozen=True)
class Folder:
    """A folder with containers/small/, and one with the wheels that its lock names."""

    path: Path
    wheels: Path

    @property
    def image(self) -> Path:
        """The folder of the image."""
        return self.path / "containers" / "small"

    @property
    def store(self) -> Path:
        """A folder for environments."""
        return self.path / "outputs" / ".engine"

    def environment(self) -> Environment:
        """The environment as it is now."""
        found = definition.find([self.path], "small", HERE)
        assert found is not None
        return found

    def lock(self, version: str) -> None:
        """Make a wheel of this version, and let the lock name it."""
        wheel = self.wheels / f"tinytool-{version}-py3-none-any.whl"
        info = f"tinytool-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(
                "tinytool.py", f"VERSION = {version!r}\n\ndef main():\n    print(VERSION)\n"
            )
            archive.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tinytool\nVersion: {version}\n"
            )
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(
                f"{info}/entry_points.txt", "[console_scripts]\ntinytool = tinytool:main\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        line = f"tinytool=={version} --hash=sha256:{digest}\n"
        (self.image / f"requirements-{ARCH}.lock").write_text(f"# of a test\n{line}")


@pytest.fixture
def small(tmp_path, monkeypatch) -> Folder:
    """The image; uv, or else pip, finds its wheel without a network."""
    folder = Folder(tmp_path, tmp_path / "wheels")
    folder.image.mkdir(parents=True)
    folder.wheels.mkdir()
    (folder.image / "image.yaml").write_text(
        f"name: small\ndescription: x\nplatforms: [{HERE}]\noptional: true\nusecase: none_builds_it\n"
    )
    (folder.image / "environment.yaml").write_text(
        f'python: "{PYTHON}"\nsize: 30M\nlicence: tinytool belongs to the tests\n'
    )
    folder.lock("1.0")
    for name in ("PIP_INDEX_URL", "PIP_NO_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_FIND_LINKS", str(folder.wheels))
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder.wheels))
    if not HAS_UV:
        monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder
