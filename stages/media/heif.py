"""HEIC, the format of many phones: Pillow reads it with the package pillow-heif."""

from pathlib import Path

from stages.media.unreadable import Unreadable

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")  # brands, ISO/IEC 23008-12
_AVIF = (b"avif", b"avis")
_HEAD = 64  # bytes: a file type box with more than ten brands


def prepare(path: Path) -> None:
    """Let Pillow open the file if it is HEIC; Unreadable names the package if that is missing."""
    brands = _brands(path)
    if not any(brand in brands for brand in _HEIC):
        return
    try:  # planning reads here that pillow-heif may be absent
        import pillow_heif
    except ImportError:
        raise Unreadable("HEIC needs the package pillow-heif: pip install pillow-heif") from None
    pillow_heif.register_heif_opener()


def unidentified(path: Path) -> str:
    """Return why no decoder knows the file, in a few words."""
    if any(brand in _brands(path) for brand in _AVIF):
        return "AVIF needs Pillow 11.3 or later"
    return "not a picture"


def _brands(path: Path) -> "set[bytes]":
    """Return the brands of a file type box: the major one and those that it is compatible with."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[4:8] != b"ftyp":
        return set()
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[at : at + 4] for at in (8, *range(16, size, 4))}
