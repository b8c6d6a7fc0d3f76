"""YAML as plain data; what could surprise is refused."""

import pytest

from engine import yamlfile
from engine.errors import UserError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


def _load(tmp_path, text):
    path = tmp_path / "f.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return yamlfile.load(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1.5", 1.5), ("3", 3), ("yes", True), ("null", None), ("0.1.2", "0.1.2"), ("'1e-3'", "1e-3"), ("-.5e3", -500.0)],
)
def test_a_scalar(tmp_path, text, value):
    assert _load(tmp_path, f"x: {text}") == {"x": value}


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfx: 1", b"x: 1\r\ny: 2\r\n"], ids=["bom", "crlf"])
def test_files_of_other_editors_are_read(tmp_path, text):
    assert _load(tmp_path, text)["x"] == 1


@pytest.mark.parametrize(("text", "said"), [
    (BOMB, "its aliases expand to more than 500,000 values"),
    ("x: " + "[" * 50 + "]" * 50, "it is nested more than 40 levels deep"),
    ("x: &x [*x]", "*x stands inside what it names: it would never end"),
    ("", "the file is empty"),
    ("- 1", "a mapping is expected, not a list"),
    ("just text", "a mapping is expected, not a str"),
    ("x: 1\nx: 2", "the key 'x' stands twice"),
    ("x:\n\ty: 1", "a tab stands where YAML wants spaces"),
    ("x: !!python/object/apply:os.system [true]", "tags are not allowed: 'tag:yaml.org,2002:python/object/apply:os.system'"),
    ("x: *nobody", "found undefined alias"),
    (b"\xff\xfe\x00", "it is not UTF-8 text (byte 0)"),
    ("x: {epochs: ${params.epochs}}", "inside { } a value with ${...} needs quotes: YAML takes its braces for a mapping"),
    ("x: {a: 1, epochs: ${params.epochs}, b: 2}", "inside { } a value with ${...} needs quotes: YAML takes its braces for a mapping"),
], ids=["bomb", "deep", "recursive", "empty", "list", "text", "twice", "tab", "tag", "alias", "bytes", "flow", "flow_middle"])  # fmt: skip
def test_what_is_refused(tmp_path, text, said):
    with pytest.raises(UserError) as caught:
        _load(tmp_path, text)
    assert caught.value.where.startswith(str(tmp_path / "f.yaml"))
    assert said in caught.value.what


def test_a_file_of_a_hundred_megabytes_is_not_read(tmp_path):
    with (tmp_path / "f.yaml").open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(UserError, match="100,000,000 bytes are too many"):
        yamlfile.load(tmp_path / "f.yaml")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(UserError, match="it cannot be read: No such file or directory"):
        yamlfile.load(tmp_path / "f.yaml")


def test_a_mistake_names_its_line(tmp_path):
    with pytest.raises(UserError, match=r"f\.yaml, line 3"):
        _load(tmp_path, "a: 1\nb: 2\nb: 3\n")
