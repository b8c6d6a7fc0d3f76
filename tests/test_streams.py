"""`predict` on streams that are served here, with a packed MoveNet followed by a classifier."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.media.encode import write_video
from stages.media.frames import Frame
from stages.media.video import open_video
from tests.stages.tasks import packages
from tests.streams import HttpServer, mpeg_ts

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[2] / "shared/mirror"))
MODEL = MIRROR / "models/movenet_single_pose_lightning_ptq.tflite"
pytestmark = [
    pytest.mark.mirror,
    pytest.mark.slow,
    pytest.mark.skipif(
        not MODEL.is_file(), reason="RPI_MLOPS_MIRROR names no folder with the models"
    ),
]
WORDS = ("predict", "usecase=packed", "stage_packages=[mystages,stages]", "format=jsonl")
PACK = """
    import shutil
    from engine.stage import In, Out
    def pack(made: In, package: Out) -> None:
        shutil.copytree(made, package)
"""


@pytest.fixture
def packed(project, tmp_path):
    """A run that packed a model which answers `second` to every fourth frame, and to the last."""
    rows, channels = packages.raw_shape(1)
    classifier = packages.always((1, rows, 1, channels), [0.25, 0.75])
    packages.write(
        tmp_path / "made",
        "activity",
        packages.constants(1),
        model=classifier,
        pose=MODEL.read_bytes(),
    )
    project.stage("pack", PACK)
    project.usecase(
        "packed",
        "name: packed\ntask: activity\nstages: {p: {uses: mystages.pack, inputs: {made: 'asset:made'}}}\n"
        f"assets: {{made: {tmp_path / 'made'}}}\n",
    )
    project.done("usecase=packed", "stage_packages=[mystages,stages]")
    return project


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A person doing a squat."""
    return np.asarray(Image.open(MIRROR / "images/squat.bmp").convert("RGB").resize((320, 240)))


def times_s(text: str) -> list[float]:
    """Return the times of the rows, each of which names the activity."""
    rows = [json.loads(line) for line in text.splitlines()]
    assert {row["activity"] for row in rows} <= {"second", "nothing"}
    return [row["time_s"] for row in rows]


def test_a_file_on_a_web_server_is_answered_to_its_end(packed, picture, tmp_path):
    video = tmp_path / "a.mp4"
    write_video(video, [Frame(picture, at / 10) for at in range(16)])
    with HttpServer(video) as server:
        address = f'"{server.address("video?token=secret")}"'
        said = packed.run(*WORDS, f"input={address}", "seconds=600", "output=drawn.mp4")
    assert said.returncode == 0, said.stderr
    assert times_s(said.stdout) == pytest.approx([0, 0.4, 0.8, 1.2, 1.5])
    assert "secret" not in said.stdout + said.stderr
    with open_video(packed.path / "drawn.mp4") as drawn:
        assert [frame.time_s for frame in drawn] == pytest.approx([at / 10 for at in range(16)])


def test_answers_come_while_a_camera_sends_and_ctrl_c_keeps_them(packed, picture):
    with HttpServer(pictures=[picture] * 600, rate=20) as server:
        address = f"input={server.address('camera')}"
        process = packed.start(*WORDS, address, "seconds=600", "output=drawn.mp4")
        first = process.stdout.readline()
        sent = server.sent
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert times_s(first) == [0.0]
    assert sent < 600  # it was answered long before the end
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert times_s(out) == sorted(times_s(out))
    with open_video(packed.path / "drawn.mp4") as drawn:
        shown = list(drawn)
    assert shown[-1].time_s == pytest.approx(times_s(out)[-1], abs=0.002)  # the last row's frame


def test_a_camera_is_read_for_so_many_seconds(packed, picture):
    with HttpServer(pictures=[picture] * 600, rate=20) as server:
        said = packed.run(*WORDS, f"input={server.address('camera')}", "seconds=1")
    assert said.returncode == 0, said.stderr
    assert len(times_s(said.stdout)) >= 1


def test_a_connection_that_breaks_is_named_and_what_was_read_is_answered(packed, picture):
    with HttpServer(pictures=[picture] * 10, rate=20) as server:
        said = packed.run(*WORDS, f"input={server.address('reset')}", "seconds=600")
    assert said.returncode == 0, said.stderr
    assert len(times_s(said.stdout)) == 4  # of frames 0, 4 and 8, and of the last one
    assert "(Connection reset by peer)" in said.stderr


def test_mpeg_ts_over_tcp_is_answered_to_its_end(packed, picture, tmp_path):
    np.save(tmp_path / "a.npy", picture)
    address, process = mpeg_ts(tmp_path / "a.npy", frames=40, rate=20)
    said = packed.run(*WORDS, f"input={address}", "seconds=600")
    assert (said.returncode, process.wait()) == (0, 0), said.stderr
    assert times_s(said.stdout) == pytest.approx([*(at / 5 for at in range(10)), 1.95])


def test_a_stream_that_nobody_serves_is_named_with_the_reason(packed):
    said = packed.run(*WORDS, "input=http://user:secret@127.0.0.1:1/")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.splitlines()[-1] == (
        "error: nothing can be read: http://127.0.0.1:1/ (it cannot be opened: Connection refused)"
    )
