"""What uv and pip write, as they wrote it here: how far they are, and why they failed."""

import pytest

from engine.tools import installer_log
from engine.tools.installer_log import CONNECT, UNREACHABLE

UV = "Using Python 3.11.7 environment at: v\n"
UV_REFUSED = (
    UV
    + """error: Request failed after 3 retries in 9.1s
  cause: Failed to fetch: http://127.0.0.1:9/absl-py/
  cause: error sending request for url (http://127.0.0.1:9/absl-py/)
  cause: client error (Connect)
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""
)
UV_NO_NAME = (
    UV
    + """error: Request failed after 3 retries in 11.3s
  cause: Failed to fetch: http://nohost.invalid/simple/absl-py/
  cause: dns error
  cause: failed to lookup address information: Name or service not known
"""
)
PIP_WARNING = """WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<x>: \
Failed to establish a new connection: [Errno 111] Connection refused')': /absl-py/
"""
PIP_NOTHING = """ERROR: Could not find a version that satisfies the requirement absl-py==2.3.0
ERROR: No matching distribution found for absl-py==2.3.0
"""
PIP_HASH = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n"


@pytest.mark.parametrize("text", [UV_REFUSED, UV_NO_NAME, PIP_WARNING + PIP_NOTHING])
def test_a_missing_connection_is_one_sentence_with_a_fix(text):
    assert installer_log.failure(text) == (UNREACHABLE, CONNECT)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (PIP_NOTHING, PIP_NOTHING.splitlines()[0][7:]),
        (PIP_WARNING + PIP_HASH, PIP_HASH.strip()[7:]),
        (
            "error: Failed to build\n  cause: a\n  cause: no compiler\n",
            "Failed to build (no compiler)",
        ),
        ("one\n\nlast words\n\n", "last words"),
        ("", "the installer gives no reason"),
    ],
)
def test_other_failures_are_given_in_the_installers_words(text, what):
    assert installer_log.failure(text) == (what, "")


def test_the_phases_of_an_installation_are_told_apart():
    resolved = UV + "Resolved 79 packages in 8ms\n"
    prepared = resolved + "Prepared 79 packages in 1m 10s\n"
    installed = prepared + "Installed 79 packages in 2.30s\n"
    said = [installer_log.phase(text, 0, 80) for text in (UV, resolved, prepared)]
    assert said == [
        *["downloading 80 packages"] * 2,
        "all are downloaded, 0 of 80 packages installed",
    ]
    assert installer_log.phase(resolved, 76, 80).endswith("76 of 80 packages installed")
    compiling = "79 of 80 packages installed, compiling their Python files"
    assert installer_log.phase(installed, 79, 80) == compiling
