"""HEIC, the picture format of many phones: Pillow reads it with the package pillow-heif."""

from pathlib import Path

from stages.media.unreadable import Unreadable

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")  # brands, ISO/IEC 23008-12
_AVIF = (b"avif", b"avis")
_HEAD = 64  # bytes: a file type box with more than ten brands


def prepare(path: Path) -> None:
    """Let Pillow open the file if it is HEIC; raise Unreadable if the required package is missing."""
    brands = _brands(path)
    if not any(brand in brands for brand in _HEIC):
        return
    try:  # tells planning that pillow-heif is optional
        import pillow_heif
    except ImportError:
        raise Unreadable("HEIC needs the package pillow-heif: pip install pillow-heif") from None
    pillow_heif.register_heif_opener()


def unidentified(path: Path) -> str:
    """Return a short reason why no decoder recognises the file."""
    if any(brand in _brands(path) for brand in _AVIF):
        return "AVIF needs Pillow 11.3 or later"
    return "not a picture"


def _brands(path: Path) -> "set[bytes]":
    """Return the brands in a file type box: the major brand and the compatible ones."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[4:8] != b"ftyp":
        return set()
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[at : at + 4] for at in (8, *range(16, size, 4))}
