"""Type checkers read the README's programs and a page of everyday code as a user's editor does: from another folder.

    python tests/typing/check.py

Exits with 1 if mypy (strict) or pyright (basic) finds an error, or if an error that the page expects isn't one.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parent.parent / "README.md"

MYPY = ["-m", "mypy", "--strict"]
PYRIGHT = ["-m", "pyright", "--pythonpath", sys.executable]
PYRIGHT_RULES = {"typeCheckingMode": "basic", "reportUnnecessaryTypeIgnoreComment": "error"}


def programs(markdown: str) -> list[str]:
    """The README's programs, each with those before it, whose names it goes on with."""
    blocks = re.findall(r"^```python\n(.*?)^```", markdown, flags=re.DOTALL | re.MULTILINE)
    return ["\n\n".join(blocks[: k + 1]) for k in range(len(blocks))]


def main() -> int:
    """Lay the programs out in a folder of their own, and run both checkers there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(HERE / "everyday.py", folder)
        for k, program in enumerate(programs(README.read_text(encoding="utf-8")), 1):
            (folder / f"readme_{k}.py").write_text(program, encoding="utf-8")
        (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT_RULES), encoding="utf-8")
        pages = sorted(path.name for path in folder.glob("*.py"))
        print(f"type checking {', '.join(pages)}", flush=True)
        results = [
            subprocess.run([sys.executable, *checker, *pages], cwd=folder, check=False) for checker in (MYPY, PYRIGHT)
        ]
        return int(any(result.returncode for result in results))


if __name__ == "__main__":
    sys.exit(main())
