"""A browser for tests of pages: one Chromium for all of them, told through a pipe what to open and what to run there.

The protocol is https://chromedevtools.github.io/devtools-protocol: commands and answers are JSON, and end with a zero.
No driver is needed, and only the first test waits for a browser to start. Each page has a context of its own: nothing
that one page stores is seen by the next.
"""

import atexit
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")

OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
LIMIT = 120
"""Seconds after which an answer isn't waited for any longer."""

# Before anything of the page runs.
TRAP = """
globalThis.thrown = [];
addEventListener("error", (event) => thrown.push(event.message));
addEventListener("unhandledrejection", (event) => thrown.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => thrown.push(event.blockedURI));
alert = (text) => thrown.push(`alert ${text}`);
"""

# The page's program keeps its names to itself; a test may look at what it has added up.
SHUT = "\nstart();\n})();"
OPEN = "\nstart();\nglobalThis.sumsNow = () => [gradientsAfter(position + 1), tensors, title];\n})();"


def play(page: str, script: str, folder: Path, size: str = "1400,900", dark: bool = False) -> Any:
    """What `script` returns when it runs in the page, with the functions of reader.js; fails if anything threw.

    The script may `await`; the time that a page waits for is passed over. With `dark` the reader prefers dark pages.
    """
    assert page.count(SHUT) == 1
    path = folder / "page.html"
    path.write_text(page.replace(SHUT, OPEN), encoding="utf-8")
    reader = Path(__file__).with_name("reader.js").read_text(encoding="utf-8")
    with opened(path, size, dark) as tab:
        told, thrown = tab.run(f"{reader}\nreturn [await (async () => {{ {script} }})(), thrown];")
    assert thrown == [], thrown
    return told


def photograph(path: Path, picture: str | Path, size: str, dark: bool = False) -> None:
    """Write a picture of a page, or of an SVG, as it is when it has opened."""
    with opened(path, size, dark) as tab:
        tab.run("await new Promise((done) => setTimeout(done, 4000));")
        Path(picture).write_bytes(base64.b64decode(tab.tell("Page.captureScreenshot")["data"]))


def printed(page: str, folder: Path, dark: bool = False) -> bytes:
    """The page as it is printed, a PDF."""
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    with opened(path, "1400,900", dark) as tab:
        return base64.b64decode(tab.tell("Page.printToPDF", printBackground=True)["data"])


@contextmanager
def opened(path: Path, size: str, dark: bool) -> Iterator["Tab"]:
    """A tab with a page that has loaded, in a window of this inner size."""
    width, height = map(int, size.split(","))
    chromium = browser()
    context = chromium.tell("Target.createBrowserContext")["browserContextId"]
    try:
        target = chromium.tell("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        tab = Tab(chromium, chromium.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        tab.tell("Page.enable")
        tab.tell("Page.addScriptToEvaluateOnNewDocument", source=TRAP)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        tab.tell("Emulation.setEmulatedMedia", features=[scheme])
        tab.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        tab.tell("Page.navigate", url=path.resolve().as_uri())
        chromium.wait_for("Page.loadEventFired", tab.session)
        tab.tell("Emulation.setVirtualTimePolicy", policy="advance")
        yield tab
    finally:
        chromium.tell("Target.disposeBrowserContext", browserContextId=context)


class Tab:
    """A page in the browser."""

    def __init__(self, chromium: "Browser", session: str) -> None:
        self.chromium, self.session = chromium, session

    def tell(self, method: str, **params: Any) -> dict[str, Any]:
        """Give a command; returns the answer."""
        return self.chromium.tell(method, self.session, **params)

    def run(self, body: str) -> Any:
        """What the body of an async function returns in the page."""
        # JSON, and not what the protocol makes of a value: the page's own kinds of dictionary would come as {}.
        expression = f"(async () => JSON.stringify(await (async () => {{ {body} }})()) ?? null)()"
        found = self.tell("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"].get("exception", found["exceptionDetails"])
        value = found["result"].get("value")
        return None if value is None else json.loads(value)


@cache
def browser() -> "Browser":
    """The browser of this process; it ends with the process."""
    return Browser()


class Browser:
    """A running Chromium."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        (reads, commands), (self._answers, answers) = os.pipe(), os.pipe()
        # The browser reads descriptor 3 and writes 4: its ends are moved out of the way, then there.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (reads, answers)]
        command = [PROGRAM, *OPTIONS, *QUIET, "--remote-debugging-pipe", f"--user-data-dir={self._profile.name}"]
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(3, 4),
            preexec_fn=lambda: [os.dup2(end, place) for place, end in enumerate(ends, 3)] and None,
        )
        for end in (reads, answers, *ends):
            os.close(end)
        self._commands, self._count, self._events, self._rest = commands, 0, [], b""
        atexit.register(self.close)

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        self._profile.cleanup()

    def tell(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Give a command to a page, or to the browser itself; returns the answer."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data) :]
        while (answer := self._next()).get("id") != message["id"]:
            self._events.append(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def wait_for(self, event: str, session: str) -> None:
        """Wait until a page tells of this event, and forget what it told before."""
        told, self._events = self._events, []
        while not any(answer.get("method") == event and answer.get("sessionId") == session for answer in told):
            told = [self._next()]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], LIMIT)
            part = os.read(self._answers, 1 << 20) if ready else b""
            assert part, "the browser has ended, or has told nothing for two minutes"
            self._rest += part
        answer, _, self._rest = self._rest.partition(b"\0")
        return json.loads(answer)
