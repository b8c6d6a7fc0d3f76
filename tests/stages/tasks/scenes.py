"""Scenes of moving boxes, and a plain tracker to compare with."""

import numpy as np

from stages.tasks import boxes


def box(x, y, width=40.0, height=80.0):
    """Return top, left, bottom, right around a centre."""
    return [y - height / 2, x - width / 2, y + height / 2, x + width / 2]


def scene(seed, objects=10, seconds=15, fps=10, jitter=0.03, missed=0.1, size=(480, 640)):
    """Yield time, boxes (n, 4) and the true number of each, frame by frame.

    Objects change direction at random, vanish for up to 0.95 s, are missed in single frames, and are not
    seen behind a taller one. jitter: deviation of edges, in heights; missed: share of detections
    """
    chance = np.random.default_rng(seed)
    height = chance.uniform(50, 120, objects)
    width = height * chance.uniform(0.4, 0.8, objects)
    sides = np.stack([height, width], 1)
    place = chance.uniform(0, 1, (objects, 2)) * size
    speed = chance.normal(0, 60, (objects, 2))
    hidden_until_s = np.zeros(objects)
    for at in range(seconds * fps):
        time_s = at / fps
        speed += chance.normal(0, 30 / np.sqrt(fps), (objects, 2))
        place += speed / fps
        speed[(place < 0) | (place > size)] *= -1
        place = np.clip(place, 0, size)
        vanish = chance.uniform(size=objects) < 0.1 / fps
        until_s = time_s + chance.uniform(0.3, 0.95, objects)
        hidden_until_s = np.where(vanish, until_s, hidden_until_s)
        noise = chance.normal(0, jitter, (objects, 4)) * height[:, None]
        found = np.concatenate([place - sides / 2, place + sides / 2], 1) + noise
        covered = boxes.overlap(found, found) > 0.5
        is_seen = (hidden_until_s <= time_s) & (chance.uniform(size=objects) > missed)
        is_seen &= ~(covered & (height[None] > height[:, None])).any(1)
        yield time_s, found[is_seen], np.flatnonzero(is_seen)


def switches(follow, frames):
    """Return how often the number that `follow(boxes, time_s)` gives an object changes."""
    last, count = {}, 0
    for time_s, found, truth in frames:
        for number, one in zip(follow(found, time_s), truth, strict=True):
            count += last.get(one, number) != number
            last[one] = number
    return count


class Nearest:
    """The plain way: a detection continues the remembered box that it overlaps most."""

    def __init__(self, memory_s=1.0):
        self._memory_s, self._known, self._count = memory_s, [], 0

    def follow(self, found, time_s):
        self._known = [one for one in self._known if time_s - one[2] <= self._memory_s]
        numbers, known = [0] * len(found), len(self._known)
        overlaps = boxes.overlap(found, np.array([one[1] for one in self._known]).reshape(-1, 4))
        while known and len(found) and overlaps.max() > 0.2:
            row, at = np.unravel_index(overlaps.argmax(), overlaps.shape)
            numbers[row] = self._known[at][0]
            self._known[at][1:] = found[row], time_s
            overlaps[row], overlaps[:, at] = 0, 0
        for row, one in enumerate(found):
            if not numbers[row]:
                self._count += 1
                numbers[row] = self._count
                self._known.append([self._count, one, time_s])
        return numbers
