"""The token: its file, its forms, and wrong ones."""

import base64
import os
import stat

import pytest

from stages.serving.mistakes import Mistakes
from stages.serving.web.access import Access, read_or_make

TOKEN = "abcdefghijklmnop-1"


def _access(is_tls: bool = False) -> Access:
    return Access(TOKEN, 8800, is_tls, longest_s=5.0)


def test_the_first_start_makes_a_token_that_only_its_owner_can_read(tmp_path):
    path = tmp_path / "state" / "token"
    token = read_or_make(path)
    assert len(token) == 32 and path.read_text() == f"{token}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make(path) == token
    assert [one.name for one in path.parent.iterdir()] == ["token"]


def test_a_token_that_others_can_read_is_refused_with_the_fix(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o644)
    with pytest.raises(Mistakes, match=f"chmod 600 {path}"):
        read_or_make(path)


@pytest.mark.parametrize("text", ["", "short", "two words are no token", "ünicode-tokens-are-no"])
def test_a_weak_token_is_refused(tmp_path, text):
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Mistakes, match=rf"token_file={path}\n.*(one word|ASCII).*\n  remove it"):
        read_or_make(path)


def test_a_token_file_with_other_bytes_is_refused_in_plain_words(tmp_path):
    path = tmp_path / "token"
    path.write_bytes(bytes(range(128, 256)))
    path.chmod(0o600)
    with pytest.raises(Mistakes) as caught:
        read_or_make(path)
    (mistake,) = caught.value.mistakes
    assert mistake.what == "it is not a text of ASCII characters"
    assert "a new token is made" in mistake.fix and "codec" not in str(caught.value)


def test_a_token_file_that_is_no_file_is_refused(tmp_path):
    (tmp_path / "real").write_text(TOKEN)
    (tmp_path / "link").symlink_to("real")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "pipe", "."):
        with pytest.raises(Mistakes, match=f"token_file={tmp_path / name}\n"):
            read_or_make(tmp_path / name)


def test_the_token_is_a_bearer_or_the_password_of_basic():
    access = _access()
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    for good in (f"Bearer {TOKEN}", f"bearer  {TOKEN}", f"Basic {basic}"):
        assert access.is_authorised(good)
    for bad in ("", TOKEN, "Bearer", "Bearer x", f"Digest {TOKEN}", "Basic !", f"Basic {TOKEN}"):
        assert not access.is_authorised(bad)
    assert not access.is_token("tökén")


def test_the_cookie_does_not_reveal_the_token_and_survives_a_restart():
    cookie = _access().set_cookie()
    assert TOKEN not in cookie
    assert "HttpOnly; SameSite=Strict" in cookie and "Secure" not in cookie
    pair = cookie.partition(";")[0]
    assert _access().is_cookie(f"other=1; {pair}")
    assert not _access().is_cookie("serving-8800=0; serving-8801=" + pair.partition("=")[2])
    assert not Access("another-token-xyz", 8800, False, 5.0).is_cookie(pair)


def test_the_cookie_of_a_tls_server_is_bound_to_it():
    cookie = _access(is_tls=True).set_cookie()
    assert cookie.startswith("__Host-serving-8800=") and cookie.endswith("; Secure")


def test_without_a_token_no_text_is_the_token():
    access = Access(None, 8800, False, 5.0)
    assert access.is_open and not access.is_token("")


def test_wrong_tokens_are_answered_later_and_later_but_never_after_the_limit():
    access = _access()
    delays = [access.delay_s("a") for _ in range(30)]
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8] and delays[-1] == 5.0
    assert access.delay_s("b") == 0.1
    access.forgive("a")
    assert access.delay_s("a") == 0.1


def test_many_addresses_do_not_fill_the_memory():
    access = _access()
    for number in range(5000):
        access.delay_s(str(number))
    assert len(access._wrong) == 1000
