"""Simulated /sys and /dev folders of a machine, with connected devices."""

import shutil
from pathlib import Path


class Machine:
    """A machine's /sys and /dev, initially without relevant devices."""

    def __init__(self, folder: Path) -> None:
        self.sys, self.dev = folder / "sys", folder / "dev"
        self.plug("1-1", "1d6b", "0002", 1)
        self.slot("0000:00:00.0", "0x8086", "0x1237")

    def plug(self, port: str, vendor: str, product: str, devnum: int, speed: str = "5000") -> Path:
        """Plug a device into a port, or let the one there reappear as another."""
        shutil.rmtree(self.sys / "bus/usb/devices" / port, ignore_errors=True)
        _write(
            self.sys / "bus/usb/devices" / port,
            idVendor=vendor,
            idProduct=product,
            busnum="2",
            devnum=str(devnum),
            speed=speed,
        )
        shutil.rmtree(self.dev / "bus/usb/002", ignore_errors=True)
        return _node(self.dev / f"bus/usb/002/{devnum:03d}")

    def slot(self, address: str, vendor: str, device: str, apex: str | None = None) -> Path | None:
        """Insert a card, with its driver if `apex` names the node."""
        place = self.sys / "bus/pci/devices" / address
        _write(place, vendor=vendor, device=device)
        if apex:
            (self.sys / "class/apex" / apex).mkdir(parents=True)
            (self.sys / "class/apex" / apex / "device").symlink_to(place)
            return _node(self.dev / apex)
        return None

    def camera(self, address: str, name: str, *, driver: bool, subdevice: str = "") -> Path | None:
        """Connect a camera to an I2C bus, bound to its driver or not; `subdevice` names its node."""
        place = self.sys / "bus/i2c/devices" / address
        _write(place, name=name)
        if driver:
            (place / "driver").mkdir()
        if subdevice:
            (self.sys / "class/video4linux" / subdevice).mkdir(parents=True)
            (self.sys / "class/video4linux" / subdevice / "device").symlink_to(place)
            return _node(self.dev / subdevice)
        return None


def _write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")


def _node(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path
