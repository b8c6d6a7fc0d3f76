"""Frames from another program on standard input, in a process of its own."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[4]
READ = """
import dataclasses, json, sys, time
from engine.stage import StageError
from tests.stages.serving.sources.cameras import QUICK, Camera
text, speed, slow_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
try:
    camera = Camera(text, dataclasses.replace(QUICK, speed=speed))
except StageError as error:
    sys.exit(str(error))
greys = []
while camera.state["status"] not in ("ended", "failed"):
    before = len(camera.taken)
    camera.until(lambda state: len(camera.taken) > before or state["status"] in ("ended", "failed"))
    if len(camera.taken) > before:
        greys.append(round(float(camera.picture.mean()) / 10))
        time.sleep(slow_s)
print(json.dumps([greys, camera.state, camera.taken[-1].frame if camera.taken else None]))
"""


def jpeg(grey, height=24, width=32):
    data = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), grey, np.uint8)).save(data, "JPEG")
    return data.getvalue()


JPEGS = [jpeg(10 * at) for at in range(1, 21)]


def read(data, text="-", speed="fast", slow_s=0.0):
    words = [sys.executable, "-c", READ, text, speed, str(slow_s)]
    done = subprocess.run(
        words, cwd=ROOT, env=os.environ, input=data, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_every_picture_is_read_and_the_program_waits():
    greys, state, last = read(b"".join(JPEGS))
    assert (greys, state["status"], state["captured"], last) == (
        list(range(1, 21)),
        "ended",
        20,
        19,
    )
    assert state["size"] == [24, 32] and not any(state["dropped"].values())


def test_at_its_own_speed_only_the_newest_is_kept():
    greys, state, last = read(b"".join(JPEGS), speed="own", slow_s=0.3)
    assert greys[-1] == 20 and len(greys) < 20 and last == 19
    assert state["dropped"]["newer"] == 20 - len(greys)


def test_raw_frames_have_the_size_that_is_given():
    data = b"".join(np.full((24, 32, 3), 10 * at, np.uint8).tobytes() for at in range(5))
    greys, state, _ = read(data + b"rest", "-:32x24")
    assert (greys, state["size"]) == ([0, 1, 2, 3, 4], [24, 32])
    assert state["dropped"]["damaged"] == 1


def test_a_cut_picture_is_counted():
    greys, state, _ = read(JPEGS[0] + JPEGS[1][:500] + JPEGS[2] + JPEGS[3][:-100])
    assert greys == [1, 3] and state["dropped"]["damaged"] == 2


@pytest.mark.parametrize("data", [b"", b"no pictures at all"])
def test_an_input_without_pictures_ends(data):
    greys, state, _ = read(data)
    assert (greys, state["status"], state["captured"]) == ([], "ended", 0)


def refused(text, **options):
    words = [sys.executable, "-c", READ, text, "fast", "0"]
    done = subprocess.run(
        words, cwd=ROOT, env=os.environ, capture_output=True, text=True, **options
    )
    return done.returncode, done.stderr.strip()


@pytest.mark.parametrize("text", ["-:0x24", "-:99999x99999"])
def test_an_impossible_size_is_refused(text):
    code, message = refused(text, stdin=subprocess.DEVNULL)
    assert code == 1 and message.endswith("pixels are not supported")


def test_a_terminal_is_refused():
    ours, theirs = pty.openpty()
    try:
        code, message = refused("-", stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (code, message) == (
        1,
        "source=-\n  standard input is a terminal\n  pipe pictures into this program",
    )
