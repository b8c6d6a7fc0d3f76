"""The page in a real browser: what it shows, what it must not run, and how it comes back."""

from __future__ import annotations

import time

import pytest

from stages.serving.interfaces import Picture
from stages.serving.web import updates
from tests.stages.serving.fakes import FakeFeed, detection, source_state, update, worker_state

HOSTILE = "<img src=x onerror=\"document.title='hacked'\">'\"&</script>"
WHITE = bytes.fromhex(  # a white JPEG picture of 8 x 8 pixels
    "ffd8ffe000104a46494600010100000100010000ffdb004300" + "01" * 64 + "ffc0000b080008000801011100"
    "ffc4001f0000010501010101010100000000000000000102030405060708090a0b"
    "ffc400b5100002010303020403050504040000017d01020300041105122131410613516107227114328191a1082342b1"
    "c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a6364"
    "65666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9"
    "bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f"
    "00fbfc00ffd9"
)


class Captures:
    """Captures that note what they get."""

    def __init__(self):
        self.saved = []

    def labels(self):
        return [HOSTILE]

    def save(self, source, label):
        self.saved.append((source, label))
        return {"count": 1}


def _feed(sources=("door",), **summary):
    feed = FakeFeed(sources=sources)
    feed.summary.update(summary)
    feed.pictures = {one: Picture(WHITE, 1, time.time()) for one in sources}
    return feed


def _text(page, selector):
    return page.run(f"document.querySelector({selector!r})?.textContent")


def _shown(page, selector, text):
    page.until(
        f"document.querySelector({selector!r}).textContent", lambda found: text in (found or "")
    )


def _show(page, web, *messages):
    web.feed.put(*messages)


def _event(web, text, **values):
    with web.hub._lock:
        web.hub._number += 1
        event = {"kind": "event", "number": web.hub._number, "rule": "rule", "source": "door"}
        event |= {"time_s": time.time(), "state": "began", "text": text, "detection": None}
        web.hub._events.append({**event, "snapshot": None, "clip": None, **values})


def test_the_page_shows_pictures_answers_states_events_and_numbers(opens, browser, tmp_path):
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "1.jpg").write_bytes(WHITE)
    web = opens(feed=_feed(), snapshots=tmp_path / "events")
    _event(web, "a person came", snapshot="1.jpg")
    # A folder, because the picture of another source is old after some seconds without a new one.
    web.feed.put(source_state(type="folder"), worker_state(), update(detection()))
    page = browser.open(web.server.url)
    _shown(page, "#title", "sample")
    _shown(page, ".found", "person90 %")
    _shown(page, "#events", "a person came")
    _shown(page, "#banners", "The CPU has taken over from the Edge TPU: no Edge TPU")
    _shown(page, ".figures", "12.5 per s")
    _shown(page, "#connection", "Connected")
    page.until("document.querySelector('canvas').width === 8")  # the picture has been drawn
    page.until("document.querySelector('#events img').naturalWidth === 8")
    page.until("document.querySelector('.note').hidden")
    assert page.run("location.href") == f"http://{web.host}/"  # without the token
    assert page.errors == []


def test_changes_arrive_by_themselves(opens, browser):
    web = opens(feed=_feed())
    page = browser.open(web.server.url)
    _shown(page, "#connection", "Connected")
    web.feed.put(update(detection("jumping_jacks", 0.5, id=3)))
    _shown(page, ".found", "jumping jacks#3 50 %")
    web.feed.put(source_state(status="no_signal", why="the camera is unplugged"))
    _shown(page, ".note", "No signalthe camera is unplugged")
    _event(web, "something happened")
    _shown(page, "#events", "something happened")


def test_no_event_is_lost_between_the_first_list_and_the_stream(opens, browser):
    web = opens(feed=_feed())
    _event(web, "the first")
    page = browser.open(web.server.url)
    _shown(page, "#events", "the first")
    _shown(page, "#connection", "Connected")
    boot = web.server._site.changes.boot
    assert f"http://{web.host}/api/stream?after={boot}.1" in page.requests


def test_many_sources_are_shown_although_some_have_no_picture(opens, browser):
    names = tuple(f"camera {number}" for number in range(9))
    feed = _feed(names)
    for name in names[:5]:
        del feed.pictures[name]
    page = browser.open(opens(feed=feed).server.url, height=6000)
    drawn = "[...document.querySelectorAll('canvas')].filter((one) => one.width === 8).length"
    page.until(drawn, lambda found: found == 4)


def test_hostile_names_are_only_text(opens, browser):
    names = (HOSTILE, "../../x", "javascript:alert(1)")
    captures = Captures()
    feed = _feed(names, name=HOSTILE, version=HOSTILE, labels=[HOSTILE], task=HOSTILE)
    web = opens(feed=feed, captures=captures)
    page = browser.open(web.server.url)
    for name, status in zip(names, ("live", "failed", "failed"), strict=True):
        web.feed.put(
            source_state(name, status=status, why=HOSTILE),
            update(detection(HOSTILE), source=name),
        )
    web.feed.put(worker_state(why=HOSTILE, ran_on=HOSTILE))
    _event(
        web, HOSTILE, rule=HOSTILE, source=HOSTILE, snapshot="../token", clip="javascript:alert(1)"
    )
    _shown(page, ".found", HOSTILE)
    _shown(page, "#events", HOSTILE)
    _shown(page, "#banners", HOSTILE)
    _shown(page, "#device", HOSTILE)
    page.until("document.querySelectorAll('canvas')[0].width === 8")
    page.run(
        "(() => { const form = document.querySelector('.capture');"
        "form.querySelector('input').value = form.querySelector('option').value;"
        "form.requestSubmit(); })()"
    )
    _shown(page, ".capture output", "Saved as")
    assert captures.saved == [(HOSTILE, HOSTILE)]
    assert page.run("document.querySelectorAll('img[src=x], script:not([src])').length") == 0
    assert (
        page.run("[...document.links].filter((one) => one.protocol === 'javascript:').length") == 0
    )
    assert "hacked" not in page.run("document.title").replace(HOSTILE, "")
    assert all(url.startswith((f"http://{web.host}/", "blob:")) for url in page.requests)
    assert not [one for one in page.errors if "Content Security Policy" in one]


def test_the_browser_refuses_scripts_that_are_not_ours(opens, browser):
    web = opens(feed=_feed())
    page = browser.open(web.server.url)
    _shown(page, "#connection", "Connected")
    page.run(
        "(() => { const one = document.createElement('script'); one.textContent = 'window.hacked = 1';"
        "document.body.append(one);"
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked = 1\">');"
        "fetch('http://127.0.0.1:1/').catch(() => {}); })()"
    )
    page.until("document.images.length")
    assert page.run("window.hacked === undefined")
    assert any("Content Security Policy" in one for one in page.errors)


def test_the_page_says_that_the_connection_is_lost_and_comes_back(opens, browser, monkeypatch):
    web = opens(feed=_feed())
    page = browser.open(web.server.url)
    _shown(page, "#connection", "Connected")
    page.run("window.isOld = true")
    web.server.close()
    page.until("document.querySelector('#connection').className", lambda found: "bad" in found)
    again = opens(feed=_feed(), port=web.port)  # the same state folder, so the same token
    page.until("window.isOld === undefined")  # another start of the server: the page begins anew
    _shown(page, "#connection", "Connected")
    again.feed.put(update(detection("cat")))
    _shown(page, ".found", "cat")


def test_no_answer_differs_from_an_answer_that_names_nothing(opens, browser):
    web = opens(feed=_feed())
    page = browser.open(web.server.url)
    _shown(page, ".found", "no answer")
    web.feed.put(source_state(), update())
    _shown(page, ".found", "nothing found")
    web.feed.put(source_state(status="no_signal", why="the camera is unplugged"))
    _shown(page, ".found", "no answer")


def test_the_page_says_that_nothing_arrives(opens, browser, monkeypatch):
    web = opens(feed=_feed())
    page = browser.open(web.server.url)
    _shown(page, "#connection", "Connected")
    monkeypatch.setattr(updates, "NUMBERS_S", 1e9)
    monkeypatch.setattr(web.server._site.changes, "_numbers_s", 1e18)
    page.until(
        "document.querySelector('#connection').textContent", lambda found: "No news for" in found
    )


def test_the_page_without_the_token_asks_for_it(opens, browser):
    web = opens(feed=_feed())
    page = browser.open(f"http://{web.host}/")
    page.until("document.querySelector('#token') !== null")
    page.run(
        f"(() => {{ document.querySelector('#token').value = {web.token!r};"
        "document.querySelector('form').requestSubmit(); })()"
    )
    _shown(page, "#connection", "Connected")
    assert page.run("document.cookie") == ""  # HttpOnly


def test_a_conversation_is_held(opens, browser):
    web = opens(feed=_feed((), takes="sentences"))
    asked = []

    def ask(raw, conversation, timeout_s):
        asked.append((raw, conversation))
        return {"answer": f"you said {HOSTILE}", "intent": "x", "score": 0.9}

    web.feed.ask = ask
    page = browser.open(web.server.url, width=390, height=844)
    for sentence in ("hello", "again"):
        page.until(
            "document.querySelector('#ask button') && !document.querySelector('#ask button').disabled"
        )
        page.run(
            f"(() => {{ document.querySelector('#ask input').value = {sentence!r};"
            "document.querySelector('#ask').requestSubmit(); })()"
        )
        page.until(f"document.querySelectorAll('#talk .it').length === {len(asked) or 1}")
    page.until("document.querySelectorAll('#talk .it').length === 2")
    _shown(page, "#talk", f"you said {HOSTILE}")
    assert [raw for raw, _ in asked] == ["hello", "again"]
    assert asked[0][1] == asked[1][1] != ""


def test_a_row_is_filled_in(opens, browser):
    columns = [
        {"name": "width", "kind": "number", "values": []},
        {"name": "colour", "kind": "category", "values": ["blue", HOSTILE]},
    ]
    web = opens(feed=_feed((), takes="rows", columns=columns))
    asked = []
    answer = {"value": "rose", "score": 0.8, "missing": ["a", "b"], "unseen": {"c": HOSTILE}}
    web.feed.ask = lambda raw, *_: asked.append(raw) or {**answer, "beyond": {}}
    page = browser.open(web.server.url)
    page.until("document.querySelector('#ask select')")
    page.run(
        "(() => { document.querySelector('#ask input').value = '1.5';"
        "document.querySelector('#ask select').selectedIndex = 2;"
        "document.querySelector('#ask').requestSubmit(); })()"
    )
    _shown(page, "#ask .answer", f"rose 80 %Missing: a, bNot in the training data: c = {HOSTILE}")
    assert asked == [{"width": "1.5", "colour": HOSTILE}]


@pytest.mark.parametrize(
    ("width", "height", "dark"), [(1280, 860, False), (390, 844, False), (390, 844, True)]
)
def test_nothing_is_wider_than_the_window_and_nothing_jumps(opens, browser, width, height, dark):
    web = opens(feed=_feed(("door", "garden")), captures=Captures())
    web.feed.put(source_state("door", size=(8, 8)), source_state("garden", size=(8, 8)))
    page = browser.open(web.server.url, width, height, dark)
    page.until("document.querySelector('canvas').width === 8")
    before = page.run("document.querySelector('article:last-child').getBoundingClientRect().top")
    found = [detection(f"label {number}", 0.5) for number in range(9)]
    web.feed.put(update(*found))
    _shown(page, ".found", "label 8")
    assert (
        page.run("document.querySelector('article:last-child').getBoundingClientRect().top")
        == before
    )
    assert page.run("document.documentElement.scrollWidth") <= width
    background = page.run("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(13, 17, 23)") is dark


def test_what_is_operated_has_a_name(opens, browser):
    web = opens(feed=_feed(("door", "garden")), captures=Captures())
    page = browser.open(web.server.url)
    page.until("document.querySelectorAll('article').length === 2")
    page.call("Accessibility.enable")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    unnamed = [
        node["role"]["value"]
        for node in nodes
        if not node.get("ignored")
        and node["role"]["value"]
        in ("button", "textbox", "combobox", "link", "image", "list", "log")
        and not node.get("name", {}).get("value")
    ]
    assert unnamed == []
    headings = page.run(
        "[...document.querySelectorAll('h1, h2')].map((one) => one.tagName).join(' ')"
    )
    assert headings.startswith("H1 H2") and headings.count("H1") == 1
