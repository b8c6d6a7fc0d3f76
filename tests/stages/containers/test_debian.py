"""Debian packages unpacked without dpkg, valid ones and malicious ones."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stage import StageError
from stages.containers import _debian, _download
from stages.containers._debian import install, installed, read_ar, read_lock, read_repository
from stages.containers._tree import FOLDER, Tree, link
from tests.stages.containers.packages import EPOCH, ar, deb, lock, tar


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of downloads, and no mirror."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_debian, "MIRROR", "http://127.0.0.1:9")
    monkeypatch.setattr(_debian, "SNAPSHOT", "http://127.0.0.1:9")
    return tmp_path / "cache"


def unpacked(tmp_path: Path, cache: Path, **debs: bytes) -> Tree:
    """Return a tree with these packages, on the links of merged /usr."""
    tree = Tree()
    tree.add("usr/lib", FOLDER)
    tree.add("lib", link("usr/lib"))
    install(tree, read_lock(lock(tmp_path / "debian.lock", debs, cache)))
    return tree


def test_a_package_is_unpacked_through_merged_usr_and_without_what_nobody_reads(
    tmp_path: Path, cache: Path
) -> None:
    files: dict[str, bytes | str | None] = {
        "./lib/x.so": b"1",
        "./usr/share/man/man1/x.1.gz": b"2",
        "./usr/share/doc/x/copyright": b"3",
        "./usr/share/doc/x/changelog.gz": b"4",
    }
    tree = unpacked(tmp_path, cache, x=deb("x", files))
    assert tree.read("usr/lib/x.so") == b"1"
    assert tree.read("usr/share/doc/x/copyright") == b"3"
    assert not [path for path in tree.paths() if "man1" in path or "changelog" in path]


def test_what_an_image_leaves_out_is_not_unpacked(tmp_path: Path, cache: Path) -> None:
    debs = {"x": deb("x", {"./usr/lib/x/tests/t.py": b"1", "./usr/lib/x/y.py": b"2"})}
    tree = Tree()
    install(tree, read_lock(lock(tmp_path / "debian.lock", debs, cache)), ["*/tests/*"])
    assert [path for path in tree.paths() if path.endswith(".py")] == ["usr/lib/x/y.py"]


def test_dpkg_would_list_what_was_unpacked(tmp_path: Path, cache: Path) -> None:
    tree = unpacked(tmp_path, cache, b=deb("b", {"./usr/b": b""}), a=deb("a", {"./usr/a": b""}))
    status = (tree.read("var/lib/dpkg/status") or b"").decode()
    assert [line for line in status.splitlines() if line.startswith(("Package", "Status"))] == [
        "Package: a",
        "Status: install ok installed",
        "Package: b",
        "Status: install ok installed",
    ]
    assert tree.read("var/lib/dpkg/info/a.list") == b"/.\n/usr/a\n"
    assert installed(tree) == {"a", "b"}


def test_a_package_that_the_tree_has_is_not_unpacked_again(tmp_path: Path, cache: Path) -> None:
    tree = unpacked(tmp_path, cache, a=deb("a", {"./usr/a": b"1"}))
    newer = read_lock(
        lock(
            tmp_path / "more.lock",
            {"a": deb("a", {"./usr/a": b"2"}), "b": deb("b", {"./usr/b": b"3"})},
            cache,
        )
    )
    assert install(tree, newer) == 1
    assert (tree.read("usr/a"), tree.read("usr/b")) == (b"1", b"3")


def test_a_real_package_made_by_dpkg_is_read(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "p"
    (folder / "DEBIAN").mkdir(parents=True)
    (folder / "DEBIAN").chmod(0o755)  # whatever the umask, because dpkg requires it
    (folder / "DEBIAN/control").write_text(
        "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: me <me@x.org>\nDescription: x\n"
    )
    (folder / "etc").mkdir()
    (folder / "etc/p.conf").write_text("p")
    subprocess.run(
        ["dpkg-deb", "-Zxz", "-b", str(folder), str(tmp_path / "p.deb")],
        check=True,
        capture_output=True,
    )
    assert unpacked(tmp_path, cache, p=(tmp_path / "p.deb").read_bytes()).read("etc/p.conf") == b"p"


@pytest.mark.parametrize("name", ["./../etc/passwd", "./usr/../../x"])
def test_a_package_cannot_write_outside_the_tree(name: str, tmp_path: Path, cache: Path) -> None:
    with pytest.raises(StageError, match="leaves its package"):
        unpacked(tmp_path, cache, evil=deb("evil", {name: b""}))


@pytest.mark.parametrize(
    ("package", "sentence"),
    [
        (b"no archive", "not an ar archive"),
        (b"", "not an ar archive"),
        (deb("x", {})[:-40], "truncated or damaged"),
        (ar({"debian-binary": b"2.0\n"}), r"no readable control\.tar"),
        (ar({"control.tar.zst": b"", "data.tar.zst": b""}), r"it has control\.tar\.zst"),
        (
            ar({"control.tar.xz": tar({"./md5sums": b"x"}), "data.tar.xz": tar({})}),
            "no control file",
        ),
        (
            ar({"control.tar.xz": tar({"./control": b"Package: x\n"}), "data.tar.xz": b"noise"}),
            "cannot be unpacked",
        ),
    ],
    ids=["text", "empty", "cut", "no_control", "zstd", "no_control_file", "noise"],
)
def test_what_is_no_package_is_refused(
    package: bytes, sentence: str, tmp_path: Path, cache: Path
) -> None:
    with pytest.raises(StageError, match=sentence):
        unpacked(tmp_path, cache, x=package)


@given(st.binary(max_size=300))
def test_noise_after_the_magic_of_ar_gives_a_sentence_or_parts(noise: bytes) -> None:
    try:
        assert isinstance(read_ar(b"!<arch>\n" + noise), dict)
    except StageError as error:
        assert "damaged" in str(error)


@pytest.mark.parametrize(
    "text", ["", "epoch soon\n", "epoch 1\nx 1 pool/x.deb short\n", "epoch 1\nX 1 pool " + "0" * 64]
)
def test_a_lock_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "debian-amd64.lock").write_text(text)
    with pytest.raises(StageError, match=r"is not a lock of Debian packages.*make lock"):
        read_lock(tmp_path / "debian-amd64.lock")


def test_a_lock_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"there is no debian-riscv\.lock.*make lock"):
        read_lock(tmp_path / "debian-riscv.lock")


def test_what_has_left_the_pool_is_looked_for_at_the_snapshot_of_its_day(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download.time, "sleep", lambda _: None)
    path = lock(tmp_path / "debian.lock", {"x": deb("x", {})}, cache)
    for file in (cache / "raspberrypi-mlops" / "sha256").iterdir():
        file.unlink()
    with pytest.raises(StageError, match=r"pool/x\.deb.*20231114T221320Z/pool/x\.deb"):
        install(Tree(), read_lock(path))


def test_a_repository_that_cannot_be_reached_is_one_sentence() -> None:
    source = {
        "url": "https://127.0.0.1:9/apt",
        "suite": "s",
        "component": "main",
        "packages": "x=1",
    }
    with pytest.raises(
        StageError,
        match=r"https://127\.0\.0\.1:9/apt/dists/s/main/binary-amd64/Packages cannot be read",
    ):
        read_repository(source, "amd64", EPOCH)


def test_a_repository_without_tls_is_refused() -> None:
    with pytest.raises(StageError, match="https://"):
        read_repository(
            {"url": "http://x", "suite": "s", "component": "main", "packages": "x=1"},
            "amd64",
            EPOCH,
        )
