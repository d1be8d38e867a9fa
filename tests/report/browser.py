"""A headless Chromium for tests, driven through a pipe by the DevTools protocol: nothing to install besides the browser.

https://chromedevtools.github.io/devtools-protocol: messages are JSON, ended by a zero byte, on the file descriptors 3 and 4.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--hide-scrollbars",
    "--disable-component-update", "--disable-default-apps", "--disable-extensions", "--disable-sync", "--mute-audio",
    "--force-color-profile=srgb", "--remote-debugging-pipe", "--disable-dev-shm-usage",
)  # fmt: skip
LOOKING = Path(__file__).with_name("looking.js").read_text(encoding="utf-8")
PATIENCE = 60.0  # seconds for one answer, on a machine with other work


def find_browser() -> str | None:
    """The path of an installed Chromium; `HYBRIDODE_BROWSER` comes before what is found."""
    return os.environ.get("HYBRIDODE_BROWSER") or next((path for name in NAMES if (path := shutil.which(name))), None)


def looked(browser: Browser, what: str) -> Any:
    """What a function of looking.js says of the page."""
    return browser.run(f"(() => {{ {LOOKING} return looking.{what}(); }})()")


class Browser:
    """A context manager. `open` gives a page; whatever pages log, ask for or throw is kept in its lists."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._next = 0
        self._buffer = b""
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def __enter__(self) -> Browser:
        self._folder = tempfile.mkdtemp(prefix="hybridode-browser-")
        there, ours = os.pipe()
        back, theirs = os.pipe()
        script = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'  # a shell puts the pipes where the protocol wants them
        command = ["bash", "-c", script, "browser", str(there), str(theirs), self._path, *FLAGS]
        environment = {**os.environ, "HOME": self._folder}
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={self._folder}/profile", "about:blank"],
            pass_fds=(there, theirs), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(there), os.close(theirs)
        self._write, self._read = ours, back
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._write)  # the browser ends with its pipe
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        os.close(self._read)
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(self, method: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A command of the protocol to the page."""
        return self._ask(method, parameters, self._session)

    def _ask(self, method: str, parameters: Mapping[str, Any] | None = None, session: str | None = None) -> dict[str, Any]:
        self._next += 1
        message = {"id": self._next, "method": method, "params": dict(parameters or {})}
        os.write(self._write, json.dumps({**message, **({"sessionId": session} if session else {})}).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._next:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _message(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"the browser has not answered for {PATIENCE:g} s"
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(line)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, found: Mapping[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(found["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(found["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        elif method == "Runtime.consoleAPICalled" and found["type"] in ("error", "warning", "assert"):
            self.complaints.append(str([a.get("value", a.get("description")) for a in found["args"]]))
        elif method == "Log.entryAdded" and found["entry"]["level"] in ("error", "warning"):
            self.complaints.append(found["entry"]["text"])

    def look(self, address: str, width: int = 1440, height: int = 900, dark: bool = False, paper: bool = False) -> None:
        """Opens an address at a width in CSS pixels and waits until it has been laid out."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", {"media": "print" if paper else "", "features": features})
        mobile = width < 600
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile},
        )
        self.requests.clear()
        self.complaints.clear()
        self.ask("Page.navigate", {"url": address})
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def wait(self, condition: str) -> None:
        """Until a JavaScript expression is true and what it says has been drawn."""
        until = time.monotonic() + PATIENCE
        while not self.run(condition):
            assert time.monotonic() < until, f"never true: {condition}"
            time.sleep(0.02)
        self.settle()

    def settle(self) -> None:
        """Waits for two frames: what a script changed has been drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited when it is a promise."""
        found = self.ask("Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True})
        assert "exceptionDetails" not in found, found["exceptionDetails"].get("exception", {}).get("description", found)
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """A key, by its name as in `KeyboardEvent.key`."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35}.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            named = {"type": kind, "key": key, "windowsVirtualKeyCode": code}
            self.ask("Input.dispatchKeyEvent", {**named, **({"text": text} if text and kind == "keyDown" else {})})
        self.settle()

    def mouse(self, kind: str, x: float, y: float, down: bool = False) -> None:
        """`mouseMoved`, `mousePressed`, `mouseReleased` at a place of the window."""
        button = "left" if down or kind != "mouseMoved" else "none"
        place = {"type": kind, "x": x, "y": y, "button": button, "clickCount": 1, "buttons": 1 if down else 0}
        self.ask("Input.dispatchMouseEvent", place)

    def picture(self, path: Path, whole: bool = True) -> Path:
        """A screenshot as PNG: of the whole page, or of the window."""
        shot: dict[str, Any] = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
            shot["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16000), "scale": 1}
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", shot)["data"]))
        return path
