"""A browser without a driver: a script at the end of a page measures it, and tells the console what it found."""

import json
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=1400,900")
LIMIT = 120.0
"""Seconds after which a page that told nothing is given up."""

SCRIPT = """<script>
(async () => {
  const told = await (async () => { %s })();
  console.log(`MEASURED ${JSON.stringify(told)} END`);
})();
</script>"""


def find_browser() -> str | None:
    """The path of Chromium or Chrome; None where neither is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def measure(program: str, page: str, script: str) -> dict | None:
    """What the body of an async function returns at the end of a page; None if it fails, or takes too long."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "page.html"
        before, body, after = page.rpartition("</body>")
        path.write_text(before + SCRIPT % script + body + after, encoding="utf-8")
        command = [program, *OPTIONS, f"--user-data-dir={folder}/profile", path.as_uri()]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        timer = threading.Timer(LIMIT, process.kill)
        timer.start()
        try:
            found = (re.search(r"MEASURED (.*) END", line) for line in process.stderr or ())
            return next((json.loads(match[1]) for match in found if match), None)
        finally:
            timer.cancel()
            process.kill()
            process.communicate()
