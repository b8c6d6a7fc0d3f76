"""Debian versions are ordered like dpkg does."""

import itertools
import random
import shutil
import subprocess

import pytest

from stages.containers._debian_version import key

KNOWN = [
    "1.0~~",
    "1.0~rc1-1",
    "1.0",
    "1.0-0+b1",
    "1.0-1~bpo1",
    "1.0-1",
    "1.0-1+deb12u1",
    "1.0-1.1",
    "1.0a-1",
    "1.0+git-1",
    "1.0.1",
    "1.2",
    "1.10",
    "1:0.1",
    "2:0~",
]


def test_known_versions_stand_in_their_order():
    assert all(key(one) < key(other) for one, other in itertools.combinations(KNOWN, 2))


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.0", "1.0-0"), ("0:1", "1"), ("1.00", "1.0"), ("1.0-01", "1.0-1"), ("1-1-00", "1-1-0")],
)
def test_two_ways_to_write_a_version_are_the_same(one, other):
    assert key(one) == key(other)


@pytest.mark.parametrize("text", ["", "a b", "1_0", ":1", "x:1", "1\n", "-1", "ü", "1" * 2000])
def test_what_is_no_version_is_refused(text):
    with pytest.raises(ValueError, match="is not a Debian version"):
        key(text)


@pytest.mark.skipif(
    not shutil.which("dpkg"), reason="there is no dpkg to compare with: sudo apt-get install dpkg"
)
def test_dpkg_agrees():
    chance = random.Random(1)
    made = [
        "1" + "".join(chance.choice("01a~+.-") for _ in range(chance.randint(1, 7)))
        for _ in range(40)
    ]
    pairs = chance.sample(
        list(
            itertools.permutations(
                [*KNOWN, *(version for version in made if version[-1] != "-")], 2
            )
        ),
        200,
    )
    script = "".join(
        f"dpkg --compare-versions '{a}' lt '{b}' && echo 1 || echo 0\n" for a, b in pairs
    )
    said = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    assert said.stderr == ""
    assert [key(a) < key(b) for a, b in pairs] == [line == "1" for line in said.stdout.split()]
