"""Check types: of the package's own sources, and of the README's programs and everyday code as a user's editor does.

    python tests/typing/check.py

Runs mypy over the package, and mypy (strict) and pyright (basic) over the programs, which lie in another folder. Exits
with 1 if a checker finds an error, or if a line that must be an error isn't one.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

MYPY = ["-m", "mypy"]
PYRIGHT = ["-m", "pyright", "--pythonpath", sys.executable]
PYRIGHT_RULES = {"typeCheckingMode": "basic", "reportUnnecessaryTypeIgnoreComment": "error"}


def programs(markdown: str) -> list[str]:
    """The README's programs, each after those before it, whose names it uses."""
    blocks = re.findall(r"^```python\n(.*?)^```", markdown, flags=re.DOTALL | re.MULTILINE)
    return ["\n\n".join(blocks[: k + 1]) for k in range(len(blocks))]


def check_package(folder: Path) -> bool:
    """Whether the package's sources pass mypy; `folder` is for its cache."""
    print("type checking the package", flush=True)
    options = ["--config-file=", "--ignore-missing-imports", f"--cache-dir={folder}"]
    command = [sys.executable, *MYPY, *options, "-p", "tensorgrad"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def check_programs(folder: Path) -> bool:
    """Whether the README's programs and `everyday.py`, copied into `folder`, pass both checkers."""
    shutil.copy(HERE / "everyday.py", folder)
    for k, program in enumerate(programs((ROOT / "README.md").read_text(encoding="utf-8")), 1):
        (folder / f"readme_{k}.py").write_text(program, encoding="utf-8")
    (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT_RULES), encoding="utf-8")
    pages = sorted(path.name for path in folder.glob("*.py"))
    print(f"type checking {', '.join(pages)}", flush=True)
    checkers = ([*MYPY, "--strict"], PYRIGHT)
    results = [subprocess.run([sys.executable, *checker, *pages], cwd=folder, check=False) for checker in checkers]
    return not any(result.returncode for result in results)


def main() -> int:
    """Run both checks, each in a folder of its own."""
    passed = []
    for check in (check_package, check_programs):
        with tempfile.TemporaryDirectory() as name:
            passed.append(check(Path(name)))
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
