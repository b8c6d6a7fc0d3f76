"""Who may ask what: token, cookies, other sites' pages, and methods."""

import json
import threading

import pytest

from tests.stages.serving.fakes import FakeFeed, source_state, worker_state
from tests.stages.serving.web.conftest import PATIENT_S

PRIVATE = [
    "/api/state",
    "/api/updates",
    "/api/events",
    "/api/stream",
    "/metrics",
    "/snapshots/a.jpg",
]
PRIVATE += ["/pictures/door.jpg", "/pictures/door"]


@pytest.mark.parametrize("path", PRIVATE)
def test_without_the_token_nothing_is_shown(web, path):
    answer = web.ask("GET", path, token=False)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json == {"error": "a token is needed"}


@pytest.mark.parametrize("path", ["/api/ask", "/api/capture"])
def test_without_the_token_nothing_can_be_sent(web, path):
    assert web.ask("POST", path, b"{}", token=False).status == 401


def test_the_url_with_the_token_gives_a_cookie_and_hides_the_token(web):
    answer = web.ask("GET", f"/?token={web.token}", token=False)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].partition(";")[0]
    page = web.ask("GET", "/", token=False, Cookie=cookie)
    assert page.status == 200 and b"page.js" in page.body
    assert web.ask("GET", "/api/state", token=False, Cookie=cookie).status == 200


def test_the_page_without_a_token_shows_the_door(web):
    answer = web.ask("GET", "/", token=False)
    assert answer.status == 401 and b'action="/enter"' in answer.body
    assert web.ask("GET", "/?token=wrong", token=False).status == 401


def test_the_token_can_be_entered(web):
    assert web.ask("POST", "/enter", b"token=wrong", token=False).status == 401
    answer = web.ask("POST", "/enter", f"token={web.token}".encode(), token=False)
    assert answer.status == 303 and "set-cookie" in answer.headers
    assert web.ask("POST", "/enter", b"a=1&" * 20, token=False).status == 400


def test_a_wrong_token_is_answered_late_and_the_right_one_at_once(opens):
    web = opens({"tokens_s": PATIENT_S})
    for _ in range(3):
        web.ask("GET", "/api/state", token=False, Authorization="Bearer wrong")
    late = threading.Event()
    with web.connect() as slow:
        for _ in range(4):  # each wrong try takes twice as long
            web.server._site._guard._access.delay_s("127.0.0.1")
        slow.sendall(web.request("GET", "/api/state", token=False, Authorization="Bearer wrong"))
        assert web.get("/api/state").status == 200
        slow.settimeout(0.01)
        with pytest.raises(TimeoutError):
            slow.recv(1)
        late.set()


def test_the_token_is_in_no_answer_and_no_log(web):
    web.feed.ask = lambda *_: 1 / 0
    answers = [web.get(path) for path in ("/", "/api/state", "/metrics", "/healthz", "/nothing")]
    answers.append(web.ask("GET", f"/nothing?token={web.token}"))
    jpeg = b"\xff\xd8\xff"
    answers.append(web.ask("POST", f"/api/ask?token={web.token}", jpeg, Content_Type="image/jpeg"))
    assert answers[-1].status == 500
    everything = b"".join(answer.body for answer in answers).decode() + "".join(web.said)
    assert web.token not in everything and "ZeroDivisionError" in everything


@pytest.mark.parametrize("error", [ZeroDivisionError, BrokenPipeError, EOFError])
def test_an_error_of_ours_is_logged_once_and_shows_nothing_of_the_program(web, error):
    def fail(*_):
        raise error("secret")

    web.feed.ask = fail
    for _ in range(3):
        answer = web.ask("POST", "/api/ask", b"\xff\xd8\xff", Content_Type="image/jpeg")
        assert answer.status == 500
        assert answer.json == {"error": "the server failed; its log has the cause"}
    assert len(web.said) == 1 and f"{error.__name__}: secret" in web.said[0]


@pytest.mark.parametrize("host", ["evil.example", "", "localhost.evil.example"])
def test_a_rebound_name_is_refused(web, host):
    head = f"GET /api/state HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {web.token}\r\n\r\n"
    assert web.send(head.encode()).status == 403


def test_a_name_of_the_settings_is_accepted(opens):
    assert opens(names=("camera.home",)).get("/api/state", Host="camera.home:80").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
    ],
)
def test_another_sites_page_gets_nothing(web, headers):
    assert web.get("/api/state", **headers).status == 403
    assert web.post("/api/ask", {}, **headers).status == 403


def test_a_link_on_another_sites_page_opens_the_page(web):
    visit = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert web.get("/", **visit).status == 200
    assert web.get("/metrics", **visit).status == 403


def test_with_the_cookie_a_post_needs_the_own_origin(opens):
    web = opens(feed=_sentences())
    cookie = web.ask("GET", f"/?token={web.token}", token=False).headers["set-cookie"]
    body = json.dumps({"sentence": "hi"}).encode()

    def status(**headers):
        headers |= {"Cookie": cookie.partition(";")[0], "Content_Type": "application/json"}
        return web.ask("POST", "/api/ask", body, token=False, **headers).status

    assert status() == 403
    assert status(Origin="http://evil.example") == 403
    assert status(Origin=f"http://{web.host}") == 200


def test_no_answer_allows_other_origins(web):
    answer = web.ask("OPTIONS", "/api/ask", Origin=f"http://{web.host}")
    assert (answer.status, answer.headers["allow"]) == (204, "OPTIONS, POST")
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/", "/static/page.js", "/api/state", "/nothing", "/pictures/door.jpg"]
)
def test_every_answer_has_the_protecting_headers(web, path):
    headers = web.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_methods_are_answered_as_http_says(web):
    assert web.ask("POST", "/api/state", b"{}").headers["allow"] == "GET, HEAD, OPTIONS"
    assert web.ask("DELETE", "/api/ask").status == 405
    assert web.ask("TRACE", "/").status == 405
    assert web.ask("BREW", "/").status == 501
    assert web.ask("GET", "/no/such/thing").status == 404


def test_head_is_get_without_a_body(web):
    whole, head = web.get("/static/page.js"), web.ask("HEAD", "/static/page.js")
    assert head.headers["content-length"] == str(len(whole.body)) and head.body == b""
    assert web.ask("HEAD", "/api/stream").status == 200
    assert web.ask("HEAD", "/pictures/door").status == 200


def test_a_browser_keeps_the_files_of_the_page(web):
    etag = web.get("/static/page.css").headers["etag"]
    again = web.get("/static/page.css", If_None_Match=etag)
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../site.py",
        "/static/%2e%2e/site.py",
        "/static/..%2fsite.py",
        "/static/",
        "/static",
        "/static//etc/passwd",
        "//etc/passwd",
        "/snapshots/../state/token",
        "/snapshots/..%2ftoken",
        "/pictures/..%2f..%2ftoken.jpg",
    ],
)
def test_no_path_leads_out(web, path):
    answer = web.get(path)
    assert answer.status == 404 and web.token not in answer.body.decode()


def test_the_state_has_what_the_page_shows(opens):
    web = opens()
    web.feed.put(source_state("door"), worker_state())
    _wait(lambda: len(web.hub.states()) == 2)
    state = web.get("/api/state").json
    assert state["summary"]["name"] == "sample" and state["captures"] is None
    assert state["sources"][0]["source"] == "door" and state["workers"][0]["status"] == "fallback"
    assert state["numbers"]["machine"] == {}


def test_health_needs_no_token_and_tells_nothing_else(web):
    def health():
        answer = web.ask("GET", "/healthz", token=False)
        return answer.status, answer.json

    assert health() == (200, {"status": "ok"})
    web.feed.put(worker_state(status="ready"), source_state(status="no_signal"))
    _wait(lambda: health() == (200, {"status": "degraded"}))
    web.feed.put(worker_state(status="failed"))
    _wait(lambda: health() == (503, {"status": "failed"}))


def test_events_are_paged(web):
    with web.hub._lock:
        web.hub._events.extend({"number": number, "clip": None} for number in range(1, 301))
    assert len(web.get("/api/events").json["events"]) == 100
    found = web.get("/api/events?after=298&most=1000").json
    assert [event["number"] for event in found["events"]] == [299, 300]
    assert web.get("/api/events?after=-1").status == 400
    assert web.get("/api/events?after=x").status == 400


def test_an_open_server_on_loopback_needs_no_token(opens):
    web = opens(has_token=False)
    assert web.token == "" and web.get("/").status == 200
    assert web.get("/api/state").status == 200
    assert web.post("/api/ask", {}, Origin="http://evil.example").status == 403


def _sentences():
    feed = FakeFeed("intents", ())
    feed.summary["takes"] = "sentences"
    return feed


def _wait(claim):
    import time

    end_s = time.monotonic() + PATIENT_S
    while not claim():
        assert time.monotonic() < end_s
        time.sleep(0.01)
