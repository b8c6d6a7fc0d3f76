"""YAML as plain data; surprising content is refused."""

import os
from pathlib import Path

import pytest

from engine import yamlfile
from engine.errors import UserError, UserErrors

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


def _load(tmp_path, text):
    path = tmp_path / "f.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return yamlfile.load(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.5", 1.5),
        ("3", 3),
        ("yes", True),
        ("null", None),
        ("0.1.2", "0.1.2"),
        ("'1e-3'", "1e-3"),
        ("-.5e3", -500.0),
    ],
)
def test_a_scalar(tmp_path, text, value):
    assert _load(tmp_path, f"x: {text}") == {"x": value}


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfx: 1", b"x: 1\r\ny: 2\r\n"], ids=["bom", "crlf"])
def test_files_of_other_editors_are_read(tmp_path, text):
    assert _load(tmp_path, text)["x"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "its aliases expand to more than 500,000 values"),
        ("x: " + "[" * 50 + "]" * 50, "it is nested more than 40 levels deep"),
        ("x: &x [*x]", "*x refers to itself and would never end"),
        ("", "the file is empty"),
        ("- 1", "a mapping is expected, not a list"),
        ("just text", "a mapping is expected, not a str"),
        ("x: 1\nx: 2", "the key 'x' appears twice"),
        ("x:\n\ty: 1", "YAML does not allow a tab here"),
        (
            "x: !!python/object/apply:os.system [true]",
            "tags are not allowed: 'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        ("x: *nobody", "found undefined alias"),
        (b"\xff\xfe\x00", "it is not UTF-8 text (byte 0)"),
        (
            "x: {epochs: ${params.epochs}}",
            "inside { } a value with ${...} needs quotes, because YAML reads its braces as a mapping",
        ),
        (
            "x: {a: 1, epochs: ${params.epochs}, b: 2}",
            "inside { } a value with ${...} needs quotes, because YAML reads its braces as a mapping",
        ),
    ],
    ids=[
        "bomb",
        "deep",
        "recursive",
        "empty",
        "list",
        "text",
        "twice",
        "tab",
        "tag",
        "alias",
        "bytes",
        "flow",
        "flow_middle",
    ],
)
def test_what_is_refused(tmp_path, text, said):
    with pytest.raises(UserError) as caught:
        _load(tmp_path, text)
    assert caught.value.where.startswith(str(tmp_path / "f.yaml"))
    assert said in caught.value.what


def test_a_file_of_a_hundred_megabytes_is_not_read(tmp_path):
    with (tmp_path / "f.yaml").open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(UserError, match="at most 10,000,000 bytes"):
        yamlfile.load(tmp_path / "f.yaml")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(UserError, match="it cannot be read: No such file or directory"):
        yamlfile.load(tmp_path / "f.yaml")


@pytest.mark.parametrize(
    "text",
    [
        ".nan",
        ".inf",
        "-.inf",
        "1e999",
        "-1e999",
        "9" * 400,
        "9" * 5000,
        "0x" + "f" * 17,
        "1" * 400 + ".5",
    ],
)
@pytest.mark.parametrize("form", ["a: 1\nx: {}", "a: 1\nx: [1, {}]", "a: 1\nx: {{b: {}}}"])
def test_a_number_that_is_not_finite_or_too_large_is_refused_with_its_line(tmp_path, form, text):
    with pytest.raises(
        UserError,
        match=r"f\.yaml, line 2\n  .*(finite|too large|64 bits|cannot be parsed).*\n  .*in quotes",
    ):
        _load(tmp_path, form.format(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [("18446744073709551615", 2**64 - 1), ("-9223372036854775808", -(2**63)), ("1e308", 1e308)],
)
def test_a_number_that_every_program_has_is_taken(tmp_path, text, value):
    assert _load(tmp_path, f"x: {text}") == {"x": value}


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("[1, 2]", "a list"),
        ("{a: 1}", "a mapping"),
        ("1", "a number"),
        ("1.5", "a number"),
        ("null", "null"),
        ("~", "null"),
        ("on", "true or false"),
        ("false", "true or false"),
        ("2024-01-31", "a date"),
        (".nan", "a number"),
        ("? [a]\n", "a list"),
        ("9" * 400, "a number"),
    ],
)
def test_a_key_that_is_no_text_is_refused_with_its_line(tmp_path, key, kind):
    with pytest.raises(UserError, match=rf"f\.yaml, line 2\n  .*{kind}\n  write "):
        _load(tmp_path, f"a: 1\n{key}: 1\n")


def test_a_key_that_is_no_text_is_refused_also_where_it_comes_by_a_merge(tmp_path):
    with pytest.raises(UserError, match="the key '1' is read as a number"):
        _load(tmp_path, "x: {<<: {1: 2}}")


def test_a_key_in_quotes_is_text(tmp_path):
    assert _load(tmp_path, '"1": a\n"on": b\n"=": =\n') == {"1": "a", "on": "b", "=": "="}


@pytest.mark.parametrize("text", ["2024-01-31", "2024-01-31 10:00:00", "2024-13-45", "0x_"])
def test_what_is_read_as_a_date_or_no_number_is_to_be_written_in_quotes(tmp_path, text):
    with pytest.raises(UserError, match=rf'f\.yaml, line 1\n  .*{text}.*\n  .*in quotes: "{text}"'):
        _load(tmp_path, f"x: {text}")
    assert _load(tmp_path, f"x: '{text}'") == {"x": text}


@pytest.mark.parametrize("text", [r"\0", r"\ud800", r"a\udfffb"])
def test_text_that_no_file_can_hold_is_refused(tmp_path, text):
    with pytest.raises(
        UserError, match=r"a character that is not allowed|invalid Unicode character"
    ):
        _load(tmp_path, f'x: "{text}"')


@pytest.mark.parametrize(
    "text", ["!!binary aGk=", "!!set {a}", "!!omap [a: 1]", "!!str 1", "!own 1", "! 1"]
)
def test_no_tag_is_allowed(tmp_path, text):
    with pytest.raises(UserError, match=r"f\.yaml, line 1\n  tags are not allowed"):
        _load(tmp_path, f"x: {text}")


@pytest.mark.parametrize("path", ["/proc/kmsg", "/dev/zero", "/proc/self/environ"])
def test_what_never_ends_is_no_yaml_file(path):
    with pytest.raises(UserError, match=r"neither a file nor a folder|a file system of the kernel"):
        yamlfile.load(Path(path))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "f.yaml")
    with pytest.raises(UserError, match="neither a file nor a folder"):
        yamlfile.load(tmp_path / "f.yaml")


def test_a_mistake_names_its_line(tmp_path):
    with pytest.raises(UserError, match=r"f\.yaml, line 3"):
        _load(tmp_path, "a: 1\nb: 2\nb: 3\n")


def test_all_that_is_refused_in_a_file_is_told_in_its_order(tmp_path):
    text = "a: 5_882\nb: {1: x, c: 0x10}\nc: 2024-01-31\nd: 1:30\na: 1\n"
    with pytest.raises(UserErrors) as caught:
        _load(tmp_path, text)
    found = [(one.where.rpartition(" ")[2], one.what) for one in caught.value.errors]
    assert found == [
        ("1", "'5_882' is not a number here"),
        ("2", "the key '1' is read as a number"),
        ("2", "'0x10' is not a number here"),
        ("3", "'2024-01-31' is a date, which no key accepts"),
        ("4", "'1:30' is not a number here"),
        ("5", "the key 'a' appears twice"),
    ]
