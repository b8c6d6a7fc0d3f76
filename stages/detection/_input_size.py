"""Chooses the side of a detector's input, so that the network fits into the target's accelerator."""

from engine.stage import note

DEFAULT = 300  # as the COCO detector was trained
_STEP = 16
_SMALLEST = 96
_FREE = 0.1  # share of the memory that stays free
# of the trained network in an accelerator that holds all of it, with few classes: measured with Sony's
# converter for inputs of 240, 256 and 300 pixels
_WEIGHTS = 3.1e6
_PER_PIXEL = 70.0


def chosen(size: int | None, memory: int) -> int:
    """Return the side in pixels: the given one, or else the default, or less where that does not fit.

    memory: bytes in the accelerator for weights and tensors; 0: not limited
    """
    most = _largest(memory) if memory else DEFAULT
    if size is None:
        if most < DEFAULT:
            note(
                f"the network's input is {most} x {most} pixels, not {DEFAULT} x {DEFAULT}, to fit into "
                f"the accelerator's {memory / 2**20:.0f} MB"
            )
        return min(most, DEFAULT)
    if memory and _needed(size) > memory:
        note(
            f"with an input of {size} x {size} pixels, the network probably does not fit into the "
            f"accelerator's {memory / 2**20:.0f} MB: set params.size to {most} or less"
        )
    return size


def _largest(memory: int) -> int:
    sides = (*range(_SMALLEST, DEFAULT, _STEP), DEFAULT)
    return max((one for one in sides if _needed(one) <= (1 - _FREE) * memory), default=_SMALLEST)


def _needed(side: int) -> float:
    return _WEIGHTS + _PER_PIXEL * side**2
