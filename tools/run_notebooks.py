"""Execute notebooks as a reader does: a new kernel for each, no network, no data but what the package holds.

    python -m tools.run_notebooks [NAME ...]

Writes them with their outputs to out/notebooks. Fails where a cell raises, or a notebook takes longer than two minutes.
"""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

ROOT = Path(__file__).parent.parent
NOTEBOOKS, EXECUTED = ROOT / "notebooks", ROOT / "out" / "notebooks"
SECONDS = 120
NOWHERE = "http://127.0.0.1:9"


def main() -> None:
    """Run the command line."""
    paths = {path.stem: path for path in sorted(NOTEBOOKS.rglob("*.ipynb"))}
    if unknown := set(sys.argv[1:]) - set(paths):
        sys.exit(f"names must be notebooks, got {', '.join(sorted(unknown))}; expected some of {', '.join(paths)}")
    os.environ.pop("TENSORGRAD_DATA", None)
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        os.environ[variable] = NOWHERE
    wrong = [name for name in sys.argv[1:] or paths if not execute(paths[name])]
    if wrong:
        sys.exit(f"failed: {', '.join(wrong)}")


def execute(path: Path) -> bool:
    """Execute a notebook in its own folder; returns whether all of it ran in time."""
    notebook = nbformat.read(path, as_version=4)
    start, problem = time.perf_counter(), ""
    client = NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(path.parent)}})
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError) as error:
        problem = str(error)
    seconds = time.perf_counter() - start
    if not problem and seconds > SECONDS:
        problem = f"it took longer than {SECONDS} s"
    out = EXECUTED / path.relative_to(NOTEBOOKS)
    out.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, out)
    print(f"{path.stem:<24} {seconds:5.0f} s, {out.stat().st_size / 1024:6.0f} KiB  {problem}".rstrip(), flush=True)
    return not problem


if __name__ == "__main__":
    main()
