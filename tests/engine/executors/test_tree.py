"""The processes that a fork server's mark finds."""

import os
import subprocess
import sys
import time

from engine.processes import tree

# each generation forks the next one and ends at once: a scan that lists one may miss the other
HOPS = """
import os, time
for _ in range(400):
    if os.fork():
        os._exit(0)
time.sleep(600)
"""


def _marked(mark: str) -> set[int]:
    return {
        int(name)
        for name in os.listdir("/proc")
        if name.isdecimal() and tree._mark_of(int(name)) == mark and tree._start(int(name))
    }


def test_a_process_that_hops_from_fork_to_fork_ends_too(tmp_path):
    for _ in range(5):
        mark = tree.new_mark(tmp_path)
        subprocess.run(
            [sys.executable, "-c", HOPS], env={**os.environ, tree.MARK: mark}, check=True
        )
        tree.kill_marked(mark, within_s=60)  # it is forking by now
        assert _marked(mark) == set()


def test_a_process_that_has_only_just_started_its_program_ends_too(tmp_path):
    for _ in range(50):
        mark = tree.new_mark(tmp_path)
        program = [sys.executable, "-c", "import time; time.sleep(600)"]
        with subprocess.Popen(program, env={**os.environ, tree.MARK: mark}):
            tree.kill_marked(mark, within_s=60)
        assert _marked(mark) == set()


def test_what_ended_long_ago_does_not_hold_up_the_end_of_the_rest(tmp_path):
    mark = tree.new_mark(tmp_path)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        start = time.monotonic()
        tree.kill_marked(mark, within_s=60)
        assert time.monotonic() - start < 30
