"""Threads that use a model in turn."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from stages.tflite.model import open_model
from stages.tflite.turns import turn, waited_s
from tests.tflite_models import G, Op, T, write


def test_the_wait_for_a_turn_is_counted_for_each_thread():
    lock = threading.Lock()
    waits = {}

    def use(name: str) -> None:
        with turn(lock):
            time.sleep(0.05)
        waits[name] = waited_s()

    threads = [threading.Thread(target=use, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = sorted(waits.values())
    assert first < second
    assert second > 0.02
    assert waited_s() == 0.0


def test_threads_that_share_a_model_get_their_own_answers(tmp_path):
    graph = G([T([1, 64, 64, 8]), T([1, 64, 64, 8])], [Op("RELU", [0], [1])])
    model = open_model(write(tmp_path / "model.tflite", graph))
    ((name, tensor),) = model.inputs.items()

    def run(value: int) -> bool:
        given = np.full(tensor.shape, value, tensor.type)
        (output,) = model.run({name: given}).values()
        return bool((output == max(value, 0)).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, [value % 100 - 20 for value in range(400)]))
