"""Reading the output of the Edge TPU's compiler from its file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.edgetpu._compiled import (
    CUSTOM_CODE,
    EXECUTION_ONLY,
    PARAMETER_CACHING,
    STAND_ALONE,
    Compiled,
    read_compiled,
)
from stages.tflite.flatbuffer import BadFile, Blob
from stages.tflite.schema import parse_model
from tests.tflite_models import G, Op, T, compiled_options, model, package

CACHING = package([(EXECUTION_ONLY, 64), (PARAMETER_CACHING, 128)])


def read(*options: bytes | None) -> Compiled | None:
    ops = [Op("CUSTOM", (0,), (1,), custom_code=CUSTOM_CODE, custom_options=one) for one in options]
    return read_compiled(
        parse_model(Blob(model(G([T((1, 4)), T((1, 4))], ops or [Op("RELU", (0,), (1,))])), "m")),
        "m.tflite",
    )


def test_parameters_are_cached_by_the_one_kind_of_executable_and_streamed_by_the_others() -> None:
    assert read(compiled_options(CACHING)) == Compiled(128, 64, 14, "a test's compiler", 1)
    assert read(compiled_options(package([(STAND_ALONE, 32)], min_runtime=10))) == Compiled(
        0, 32, 10, "a test's compiler", 1
    )


def test_several_packages_are_added_and_the_newest_runtime_counts() -> None:
    older = compiled_options(package([(PARAMETER_CACHING, 8)], min_runtime=12))
    assert read(older, compiled_options(CACHING)) == Compiled(136, 64, 14, "a test's compiler", 2)


def test_a_model_that_nobody_compiled_is_none() -> None:
    assert read() is None


@pytest.mark.parametrize(
    "options",
    [
        None,
        b"",
        b"\0",
        b"\4\x24\1",
        b"\x24\x24\x24",
        compiled_options(CACHING, key="5"),
        compiled_options(b""),
        compiled_options(CACHING[:40]),
        compiled_options(b"\xff" * 64),
    ],
    ids=[
        "absent",
        "empty",
        "one byte",
        "a number",
        "a map of itself",
        "another key",
        "an empty package",
        "half a package",
        "no package",
    ],
)
def test_damaged_options_are_refused_in_a_sentence(options: bytes | None) -> None:
    with pytest.raises(BadFile, match=r"m\.tflite cannot be read: "):
        read(options)


@given(data=st.data())
def test_damaged_options_are_read_or_refused_but_nothing_else(data: st.DataObject) -> None:
    whole = compiled_options(CACHING)
    damaged = bytearray(whole[data.draw(st.integers(0, 8)) : data.draw(st.integers(9, len(whole)))])
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=8)):
        damaged[at] = data.draw(st.sampled_from([0, 1, 2, 127, 128, 255]))
    try:
        found = read(bytes(damaged))
    except BadFile as error:
        assert str(error).startswith("m.tflite cannot be read: ")
    else:
        assert found and min(found.cached_param_bytes, found.streamed_param_bytes) >= 0
