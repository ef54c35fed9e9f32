"""A headless Chromium, driven through chromedriver: JSON over HTTP, no package needed."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def why_no_browser() -> str | None:
    """Say what is missing, None when nothing is."""
    if _chromium() is None:
        return "Chromium is not on the PATH: install it to test reports in a browser (Debian: apt install chromium)"
    if shutil.which("chromedriver") is None:
        return "chromedriver is not on the PATH: install it to test reports (Debian: apt install chromium-driver)"
    return None


class Browser:
    """One window. Only pages from the disk are opened; the network is not needed."""

    def __init__(self, session: str) -> None:
        self._session = session

    def open(self, page: Path, *, width: int, height: int = 844, dark: bool = False) -> None:
        """Open a page as a screen of this size in CSS pixels shows it."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setScrollbarsHidden", hidden=True)
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])
        self._call("POST", "/url", {"url": page.as_uri()})

    def run(self, script: str) -> Any:
        """Evaluate the body of a JavaScript function in the page."""
        return self._call("POST", "/execute/sync", {"script": script, "args": []})

    def log(self) -> list[str]:
        """Return what the console and the network said since the last call."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Return every address that pages asked for since the last call; Chromium's own start page does not count."""
        messages = [
            json.loads(e["message"])["message"]
            for e in self._call("POST", "/se/log", {"type": "performance"})
        ]
        sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return [
            params["request"]["url"] for params in sent if not params["documentURL"].startswith("chrome:")
        ]

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, path: Path) -> None:
        """Save the page as PNG, as far as Chromium can draw it at once."""
        width, height = self.run("const e = document.documentElement; return [e.scrollWidth, e.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, 16_000), "scale": 1}
        answer = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(answer["data"]))

    def pdf(self) -> bytes:
        """Print the page."""
        return base64.b64decode(self._call("POST", "/print", {}))

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return _request(method, self._session + path, body)


# Elements that stick out to the right, unless a box of their own scrolls.
OUTSIDE = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll('body *')]
  .filter(e => !e.parentElement.closest('.scroll, .stack, svg') && e.getBoundingClientRect().right > width + 0.5)
  .map(e => e.tagName + '.' + e.className);
"""
# Tables that should have become blocks but have to be scrolled.
SIDEWAYS = """
return [...document.querySelectorAll('.stack')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText);
"""


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium with a profile of its own, and end it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            address = f"http://127.0.0.1:{_port(driver)}"
            arguments = [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                f"--user-data-dir={profile}",
            ]
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": {"binary": _chromium(), "args": arguments},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            started = _request("POST", f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})
            session = f"{address}/session/{started['sessionId']}"
            try:
                yield Browser(session)
            finally:
                _request("DELETE", session, None)
        finally:
            driver.terminate()
            driver.wait(timeout=120)


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


def _port(driver: subprocess.Popen[str]) -> int:
    """Read the port from "… was started successfully on port 12345."; the driver picks a free one."""
    assert driver.stdout is not None
    deadline = time.monotonic() + 60
    for line in driver.stdout:
        if "on port" in line and line.rstrip(".\n").split()[-1].isdigit():
            port = int(line.rstrip(".\n").split()[-1])
            if port:
                return port
        if time.monotonic() > deadline:
            break
    raise RuntimeError("chromedriver did not start")


def _request(method: str, url: str, body: dict[str, Any] | None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach this machine
    try:
        with opener.open(request, timeout=120) as response:
            return json.load(response)["value"]
    except urllib.error.HTTPError as error:
        raise RuntimeError(json.load(error)["value"]["message"]) from error
