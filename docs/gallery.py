"""Make the gallery: run every example, keep its pictures, and write docs/gallery.md with them.

    python docs/gallery.py [--data DIR] [NAME ...]

Each example runs in an empty folder; `--data` is passed on as TENSORGRAD_DATA. Examples that aren't named keep their
pictures. The pages of an example that writes nothing else are photographed, by a Chromium. What the docstring of an
example says of a file that it writes, on a line "- `file.png`: …", is the caption of the picture. README.md and
docs/drawing.md show pictures of the gallery, too: docs/gallery holds the only copies. The name of a tutorial makes the
pictures of its page: each is what the last line of the program above it draws.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
EXAMPLES = ROOT / "examples"
PICTURES = DOCS / "gallery"
SHOWN = re.compile(
    r"^```python\n(.*?)^```\n(?:\n!\[[^\]]*\]\(\.\./gallery/(tutorial_\S+)\))?", re.DOTALL | re.MULTILINE
)
"""A program of a page, and the picture below it."""
SUFFIXES = (".png", ".svg", ".gif")
WRITES = "Writes to the folder `out`:"
ITEM = re.compile(r"^- `([^`]+)`: (.+(?:\n  .+)*)", re.MULTILINE)
HEAD = """# Gallery

Every picture that the examples draw, made by `make gallery` on two cores. Click one to see it whole.
"""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="which examples to run, all by default")
    parser.add_argument("--data", type=Path, help="the folder of MNIST and the cats, for the examples that use them")
    options = parser.parse_args()
    examples = {path.stem: path for path in sorted(EXAMPLES.rglob("*.py")) if _doc(path)}
    tutorials = {path.stem: path for path in sorted((DOCS / "tutorials").glob("*.md"))}
    known = [*examples, *tutorials]
    if unknown := set(options.names) - set(known):
        sys.exit(f"names must be examples, got {', '.join(sorted(unknown))}; expected some of {', '.join(known)}")
    PICTURES.mkdir(exist_ok=True)
    for name in options.names or known:
        seconds = run(examples[name], options.data) if name in examples else draw(tutorials[name])
        print(f"{name}: {seconds:.0f} s", flush=True)
    page = "\n".join([HEAD, *[section(path) for path in examples.values()]])
    (DOCS / "gallery.md").write_text(page, encoding="utf-8")


def run(example: Path, data: Path | None) -> float:
    """Run one example in an empty folder and keep its pictures; returns the seconds it took."""
    environment = dict(os.environ) | ({"TENSORGRAD_DATA": str(data.resolve())} if data else {})
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run([sys.executable, example], cwd=folder, env=environment, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if done.returncode:
            sys.exit(f"{example.name} failed:\n{done.stderr}")
        for old in pictures(example):
            (PICTURES / old).unlink()
        photograph(Path(folder, "out"))
        for path in sorted(Path(folder, "out").glob("*")):
            if path.suffix in SUFFIXES:
                shutil.move(path, PICTURES / kept_as(example, path.name))
    return seconds


def draw(tutorial: Path) -> float:
    """Run a tutorial's programs and keep what they draw; returns the seconds it took."""
    start, space = time.perf_counter(), {"__name__": "tutorial"}
    for program, picture in SHOWN.findall(tutorial.read_text(encoding="utf-8")):
        tree = ast.parse(program)
        last = tree.body.pop() if picture else None
        exec(compile(tree, str(tutorial), "exec"), space)
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), str(tutorial), "eval"), space)
            if hasattr(shown, "figure"):
                shown.figure.savefig(PICTURES / picture, dpi=100, bbox_inches="tight")
            else:
                shown.save(PICTURES / picture)
    return time.perf_counter() - start


def photograph(folder: Path) -> None:
    """Add a PNG for each page of a folder that has no pictures."""
    files = sorted(folder.glob("*"))
    if any(path.suffix in SUFFIXES for path in files):
        return
    for page in (path for path in files if path.suffix == ".html"):
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if program is None:
            sys.exit(f"{page.name} must be photographed by a Chromium, and none is on PATH: install one")
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1400,900"]
        options += ["--virtual-time-budget=5000", f"--screenshot={page.with_suffix('.png')}"]
        subprocess.run([program, *options, page.as_uri()], check=True, capture_output=True)


def kept_as(example: Path, name: str) -> str:
    """The name in the gallery of a file that an example writes."""
    return f"{example.stem}.{name.removeprefix(example.stem).lstrip('._-')}"


def section(example: Path) -> str:
    """An example's part of the page: its description, the command that runs it, its pictures with their captions."""
    title, *paragraphs = _doc(example).split("\n\n")
    commands = [p for p in paragraphs if p.startswith("    python")]
    written = {kept_as(example, name): (name, caption) for p in paragraphs for name, caption in ITEM.findall(p)}
    prose = [p for p in paragraphs if p not in commands and not ITEM.match(p) and p != WRITES]
    plain = f"python {example.relative_to(ROOT).as_posix()}"
    command = commands[0].split("\n")[0].split("  ")[2] if commands else plain
    text = [f"## {' '.join(title.split()).rstrip('.')}", f"`{command}`", *prose]
    shown = pictures(example)
    for name, (file, caption) in written.items():
        photograph = Path(name).with_suffix(".png").name
        caption = " ".join(caption.split())
        if picture := next((found for found in (name, photograph) if found in shown), ""):
            shown.remove(picture)
            text += [f"[![{caption}](gallery/{picture})](gallery/{picture})", f"*{caption[0].upper()}{caption[1:]}*"]
        else:
            text.append(f"`out/{file}`: {caption}")
    if shown:
        sys.exit(f"the docstring of {example.name} must say what it writes, nothing is said of {', '.join(shown)}")
    return "\n\n".join(text) + "\n"


def pictures(example: Path) -> list[str]:
    """The names of an example's pictures."""
    return sorted(path.name for path in PICTURES.glob(f"{example.stem}.*"))


def _doc(path: Path) -> str:
    return textwrap.dedent(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")


if __name__ == "__main__":
    main()
