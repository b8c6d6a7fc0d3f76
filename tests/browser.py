"""A real Chromium for tests of pages, driven through pipes by its DevTools protocol: no package is needed."""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from tests.services import Service

PATIENT_S = 60.0  # for a busy machine; nothing waits for it if all is well
# Lets no page or component of Chromium reach another machine, and needs no display or sandbox.
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-pipe",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


class Browser(Service):
    """Chromium without a window; every `open` is a page in a private profile of its own."""

    def start(self) -> None:
        """Start it, and return as soon as it answers."""
        ours_in, theirs_out = os.pipe()
        theirs_in, self._out = os.pipe()
        self._in, self._rest, self._number = ours_in, b"", 0
        self._pages: dict[str, Page] = {}
        words = " ".join(f"'{one}'" for one in (*OPTIONS, f"--user-data-dir={self.folder}/profile"))
        script = f"exec chromium {words} 3<&{theirs_in} 4>&{theirs_out}"  # it wants these numbers
        with (self.folder / "chromium.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", "bash", "-c", script],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[theirs_in, theirs_out],
                )
            )
        os.close(theirs_in)
        os.close(theirs_out)
        self.call("Browser.getVersion")

    def open(self, url: str, width: int = 1280, height: int = 860, dark: bool = False) -> Page:
        """Open a page in a new profile."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        values = {"url": "about:blank", "browserContextId": context}
        target = self.call("Target.createTarget", **values)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network", "Security"):
            page.call(f"{domain}.enable")
        page.call("Security.setIgnoreCertificateErrors", ignore=True)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        page.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.visit(url)
        return page

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end_s = time.monotonic() + PATIENT_S
        while True:
            answer = self.receive(end_s - time.monotonic())
            assert answer is not None, f"Chromium does not answer {method}"
            if answer.get("id") == message["id"]:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])

    def receive(self, within_s: float) -> dict[str, Any] | None:
        """Return the next message; events of pages are noted by them."""
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0.0, within_s))[0]:
                return None
            data = os.read(self._in, 1 << 16)
            assert data, f"Chromium has ended:\n{self.log[-2000:]}"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        page = self._pages.get(message.get("sessionId", ""))
        if page and "method" in message:
            page.note(message["method"], message["params"])
        return message

    def close(self) -> None:
        """End it, and remove its folder."""
        super().close()
        os.close(self._in)
        os.close(self._out)

    def _end(self, how: signal.Signals) -> None:
        super()._end(signal.SIGKILL if how == signal.SIGTERM else how)  # it has nothing to save


class Page:
    """An open page. errors: what its console complains about; requests: every URL that it asked for."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.errors: list[str] = []
        self.requests: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol for this page."""
        return self._browser.call(method, self._session, **params)

    def visit(self, url: str) -> None:
        """Go to a URL."""
        self.call("Page.navigate", url=url)

    def run(self, code: str) -> Any:
        """Return the value of an expression in the page; promises are awaited."""
        values = {"expression": code, "returnByValue": True, "awaitPromise": True}
        found = self.call("Runtime.evaluate", **values)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, code: str, satisfied: Callable[[Any], bool] = bool) -> Any:
        """Return the value of an expression as soon as it satisfies."""
        end_s = time.monotonic() + PATIENT_S
        found = None
        while time.monotonic() < end_s:
            found = self.run(f"(() => {{ try {{ return {code} }} catch {{ return null }} }})()")
            if satisfied(found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"{code} is still {found!r}; {self.errors}")

    def note(self, method: str, params: dict[str, Any]) -> None:
        """Note an event of the protocol."""
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(str(details.get("exception", {}).get("description", details)))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"] + " " + params["entry"].get("url", ""))

    def screenshot(self) -> bytes:
        """Return the page as a PNG picture."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])
