"""Chromium over its debugging pipe: what a page looks like, does and asks for, as a reader has it.

Input: a file. Output: values of expressions in it, pictures, and every request that it made. The
pipe needs no port and no library; expressions are evaluated beside the page's policy, not under it.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.chromium import FLAGS, found_chromium

SECONDS_MAX = 240
AS_3_AND_4 = """
import fcntl, os, sys
pair = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for place, number in zip((3, 4), pair):
    os.dup2(number, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The browser reads from descriptor 3 and writes to 4."""


class Tab:
    """One tab of a browser of its own."""

    def __init__(self, reading: int, writing: int) -> None:
        self._in, self._out = os.fdopen(reading, "rb"), os.fdopen(writing, "wb")
        self._held = b""
        self._number = 0
        self._session = ""
        self.requests: list[str] = []
        """Addresses of everything that was asked for, the page itself among them."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its answer; events that come before it are taken note of."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            came = self._next()
            if came.get("id") == self._number:
                assert "error" not in came, came["error"]
                result: dict[str, Any] = came["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            more = os.read(self._in.fileno(), 1 << 16)
            assert more, "the browser has gone"
            self._held += more
        line, _, self._held = self._held.partition(b"\0")
        came: dict[str, Any] = json.loads(line)
        if came.get("method") == "Network.requestWillBeSent":
            self.requests.append(came["params"]["request"]["url"])
        return came

    def close(self) -> None:
        """Let go of the pipe."""
        self._in.close()
        self._out.close()

    def open(self, page: Path, place: str = "") -> None:
        """Load a file and wait until it has loaded."""
        self.call("Page.navigate", url=page.as_uri() + place)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def look(
        self,
        *,
        width: int = 1280,
        is_dark: bool = False,
        media: str = "screen",
        scripts: bool = True,
    ) -> None:
        """As which reader: how wide the window is, which colours, on paper, without scripts."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)

    def value(self, expression: str) -> Any:
        """What an expression comes to in the page; promises are waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press one key and let go of it."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text
            )

    def picture(self, file: Path, *, height_max: int = 0) -> None:
        """A PNG of the page from its top: of the window, or of as much as is asked for."""
        clip = {}
        if height_max:
            size = self.value("[innerWidth, document.documentElement.scrollHeight]")
            clip = {"x": 0, "y": 0, "width": size[0], "height": min(size[1], height_max)}
            clip = {"clip": {**clip, "scale": 1}, "captureBeyondViewport": True}
        answer = self.call("Page.captureScreenshot", format="png", **clip)
        file.write_bytes(base64.b64decode(answer["data"]))


@contextmanager
def open_tab(profile: Path) -> Iterator[Tab]:
    """A browser for one test, which is gone afterwards."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    command = [found_chromium(), *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
    browser = subprocess.Popen(
        [sys.executable, "-c", AS_3_AND_4, str(theirs_in), str(theirs_out), *command],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    tab = None
    try:
        tab = Tab(ours_in, ours_out)
        yield tab
        tab.call("Browser.close")
        browser.wait(SECONDS_MAX)
    finally:
        browser.kill()
        browser.wait()
        if tab is not None:
            tab.close()
