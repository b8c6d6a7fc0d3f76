"""Which jobs of a large sweep are planned before it starts."""

from itertools import product

from engine.multirun import precheck


def test_the_covering_jobs_have_each_value_of_each_key():
    keys = [[f"{key}={value}" for value in range(10)] for key in "abc"]
    jobs = list(product(*keys))
    found = list(precheck.covering(jobs))
    assert {word for words in found for word in words} == {word for one in keys for word in one}
    assert len(found) == 28 and found[0] == jobs[0]
