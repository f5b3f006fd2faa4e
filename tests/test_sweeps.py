"""Several trainings at once under users' own tools, as docs/sweeps.md shows them: the same numbers as alone."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parent.parent / "docs" / "sweeps.md").read_text(encoding="utf-8")
TRAIN = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[0].replace("print(", "str(")
PROGRAMS = re.findall(r"^```py\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def run(folder, program):
    """What a file prints that holds the page's function and a program below it."""
    (folder / "sweep.py").write_text(program, encoding="utf-8")
    done = subprocess.run([sys.executable, "sweep.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def under_main(code):
    return "".join(f"    {line}\n" for line in code.splitlines())


def test_processes_of_joblib(tmp_path):
    pytest.importorskip("joblib")
    (program,) = [text for text in PROGRAMS if "Parallel" in text]
    before, _, alone = TRAIN.partition("rates =")
    begin = "from joblib import Parallel, delayed\n"
    program = under_main(f"rates ={alone}{program}print(scores == alone)")
    assert run(tmp_path, f"{begin}{before}\nif __name__ == '__main__':\n{program}") == "True\n"


def test_processes_of_dask(tmp_path):
    pytest.importorskip("dask")
    (program,) = [text for text in PROGRAMS if "LocalCluster" in text]
    before, _, alone = TRAIN.partition("rates =")
    imports, _, main = program.partition("if __name__")
    main = f"if __name__{main}".replace('__main__":\n', f'__main__":\n{under_main(f"rates ={alone}")}')
    main = main.replace("print(client", "print(alone == client")
    assert run(tmp_path, imports + before + main) == "True\n"
