"""Draw the thirty everyday graphs of tests/everyday.py as page, SVG and text, and photograph each page and SVG.

    python tools/photograph_graphs.py FOLDER [NAME ...]

Writes NAME.html, NAME.svg, NAME.txt, and pictures by a Chromium: the page on a desk (1400×900), on a phone in the dark
(390×844) and on its side (844×390), and the SVG, full and compact. To be looked at, one by one, when a drawing changes.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser import photograph  # noqa: E402
from everyday import GRAPHS, Tape  # noqa: E402

import tensorgrad as tg  # noqa: E402

DESK, PHONE, SIDE = "1400,900", "390,844", "844,390"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="which graphs, all by default")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or GRAPHS:
        start = time.perf_counter()
        draw(name, options.folder / name.replace(" ", "_"))
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)


def draw(name: str, path: Path) -> None:
    """Write and photograph one graph; `path` has no suffix yet."""
    tape = Tape(GRAPHS[name])
    drawing = tg.viz.graph(tape.trace, names=tape.names, max_ops=5000)
    page = drawing.save(f"{path}.html")
    Path(f"{path}.txt").write_text(tg.viz.text(tape.trace, names=tape.names, width=100), encoding="utf-8")
    photograph(page, f"{path}.desk.png", DESK)
    photograph(_on_a_phone(page, PHONE), f"{path}.phone.png", PHONE, dark=True)
    photograph(_on_a_phone(page, SIDE), f"{path}.side.png", SIDE)
    for name, view in (("svg", drawing), ("compact.svg", replace(drawing, compact=True))):
        photograph(view.save(f"{path}.{name}"), f"{path}.{name}.png", DESK)


def _on_a_phone(page: Path, size: str) -> Path:
    """The page in a frame as wide as a phone: a window is never narrower than 500 pixels, its picture would be cut."""
    width, height = size.split(",")
    frame = page.with_suffix(".phone.html")
    style = f"position: fixed; left: 0; top: 0; width: {width}px; height: {height}px; border: 0"
    body = f'<meta name="color-scheme" content="light dark"><iframe src="{page.name}" style="{style}"></iframe>'
    frame.write_text(f"<!DOCTYPE html>{body}", encoding="utf-8")
    return frame


if __name__ == "__main__":
    main()
