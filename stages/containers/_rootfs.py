"""Replaces the base packages' maintainer scripts, as far as a container needs them.

The links of merged /usr, users and groups, the certificate bundle, dpkg's own files, and the
links of update-alternatives. Nothing else: no host keys, no caches, no machine id.
"""

from stages.containers._platform import Platform
from stages.containers._tree import FOLDER, Tree, file, link

MERGED = ("bin", "lib", "sbin")
FOLDERS = (
    "etc/ssl/certs",
    "home",
    "mnt",
    "opt",
    "run/lock",
    "srv",
    "usr/local/bin",
    "usr/local/lib/python3.11/dist-packages",
    "var/lib/dpkg/updates",
    "var/lib/dpkg/triggers",
    "var/lib/dpkg/alternatives",
    "proc",
    "sys",
    "dev",
)
SOURCES = """\
Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_USERS = [
    "_apt:x:42:65534::/nonexistent:/usr/sbin/nologin",
    "app:x:1000:1000::/tmp:/usr/sbin/nologin",
]
_GROUPS = ["app:x:1000:"]
_ALTERNATIVES = (
    ("usr/bin/awk", "mawk"),
    ("usr/bin/which", "which.debianutils"),
    ("usr/lib/{triplet}/libblas.so.3", "blas/libblas.so.3"),
    ("usr/lib/{triplet}/liblapack.so.3", "lapack/liblapack.so.3"),
)


def prepare(tree: Tree, platform: Platform) -> None:
    """Create the links of merged /usr, before any package is unpacked."""
    for name in (*MERGED, *(["lib64"] if platform.arch == "amd64" else [])):
        tree.add(f"usr/{name}", FOLDER)
        tree.add(name, link(f"usr/{name}"))
    tree.add("var/run", link("/run"))
    tree.add("var/lock", link("/run/lock"))


def settle(tree: Tree) -> None:
    """Write the files that the scripts would write, after all packages of the base are unpacked.

    Existing files are kept.
    """
    for folder in FOLDERS:
        tree.add(folder, FOLDER)
    for path, lines in (("passwd", _USERS), ("group", _GROUPS)):
        tree.add(
            f"etc/{path}",
            file(
                _with(
                    tree.read(f"etc/{path}")
                    or tree.read(f"usr/share/base-passwd/{path}.master")
                    or b"",
                    lines,
                )
            ),
        )
    _write(
        tree,
        "etc/nsswitch.conf",
        tree.read("usr/share/libc-bin/nsswitch.conf") or b"hosts: files dns\n",
    )
    _write(tree, "etc/apt/sources.list.d/debian.sources", SOURCES.encode())
    _write(tree, CERTIFICATES, _certificates(tree))
    _write(tree, "var/lib/dpkg/available", b"")
    _write(tree, "var/lib/dpkg/info/format", b"1\n")
    if not tree.get("usr/lib/ssl/cert.pem"):
        tree.add(
            "usr/lib/ssl/cert.pem", link(f"/{CERTIFICATES}")
        )  # the first path that OpenSSL, and so Python, looks at


def alternatives(tree: Tree, platform: Platform) -> None:
    """Create the links that update-alternatives would create for the tree's packages."""
    for pattern, target in _ALTERNATIVES:
        name = pattern.format(triplet=platform.triplet)
        if not tree.get(name) and tree.get(f"{name.rpartition('/')[0]}/{target}"):
            tree.add(name, link(target))


def _write(tree: Tree, path: str, data: bytes) -> None:
    if not tree.get(path):
        tree.add(path, file(data))


def _with(table: bytes, lines: list[str]) -> bytes:
    """Return a table of users or groups with these lines added, except for existing names."""
    names = {line.split(b":")[0] for line in table.splitlines()}
    return table + b"".join(
        f"{line}\n".encode() for line in lines if line.split(":")[0].encode() not in names
    )


def _certificates(tree: Tree) -> bytes:
    folder = "usr/share/ca-certificates/"
    parts = [
        tree.read(path) or b""
        for path in sorted(tree.paths())
        if path.startswith(folder) and path.endswith(".crt")
    ]
    return b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts)
