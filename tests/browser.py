"""A browser for tests of pages, without a driver: a script in a copy of the page plays the reader, and reports."""

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")

# Before anything of the page runs.
TRAP = """<script>
const thrown = [];
addEventListener("error", (event) => thrown.push(event.message));
addEventListener("unhandledrejection", (event) => thrown.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => thrown.push(event.blockedURI));
alert = (text) => thrown.push(`alert ${text}`);
</script>"""

# The page's program keeps its names to itself; a test may look at what it has added up.
SHUT = "\nstart();\n})();"
OPEN = "\nstart();\nglobalThis.sumsNow = () => [gradientsAfter(position + 1), tensors, title];\n})();"

# After the page has started.
SCRIPT = """<script>
%(reader)s
(async () => {
  let told = null;
  try {
    told = await (async () => { %(script)s })();
  } catch (error) {
    thrown.push(String(error));
  }
  const report = document.createElement("pre");
  report.id = "report";
  report.textContent = JSON.stringify({ told, thrown });
  document.body.append(report);
})();
</script>"""


def play(page, script, folder, size="1400,900", dark=False):
    """What `script` returns when it runs in the page, with the functions of reader.js; fails if anything threw.

    The script may `await`. With `dark` the reader prefers dark pages. The browser writes down the page when its virtual
    time is over, and nothing is left to do.
    """
    path = folder / "page.html"
    copy = page.replace("<head>", f"<head>{TRAP}", 1)
    assert copy.count(SHUT) == 1
    copy = copy.replace(SHUT, OPEN)
    reader = Path(__file__).with_name("reader.js").read_text(encoding="utf-8")
    at = copy.rindex("</body>")
    path.write_text(copy[:at] + SCRIPT % {"reader": reader, "script": script} + copy[at:], encoding="utf-8")
    done = browse(path, folder / "profile", size, dark, "--virtual-time-budget=20000", "--dump-dom")
    (report,) = re.findall(r'<pre id="report">(.*?)</pre>', done.stdout, re.DOTALL)
    report = json.loads(html.unescape(report))
    assert report["thrown"] == [], report["thrown"]
    return report["told"]


def browse(path, profile, size, dark, *options):
    """Run the browser on a file; returns the finished process."""
    command = [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    command += [f"--blink-settings=preferredColorScheme={0 if dark else 1}", f"--window-size={size}"]
    return subprocess.run([*command, *options, path.as_uri()], capture_output=True, text=True, check=True, timeout=300)


def photograph(path, picture, size, dark=False):
    """Write a picture of a page, or of an SVG, as it is when it has opened."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--hide-scrollbars", "--virtual-time-budget=4000", f"--screenshot={Path(picture).resolve()}"]
        browse(path.resolve(), profile, size, dark, *options)
