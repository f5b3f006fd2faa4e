"""Install a wheel into an empty environment, and use it from an empty folder.

    python tools/try_wheel.py dist/*.whl

pip takes what the wheel requires from where it takes packages. Then a program imports tensorgrad, trains on the digits
inside the package, draws a step as a page, saves and loads weights; and the command line describes the installation.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, optdigits

assert "site-packages" in tg.__file__, tg.__file__
tg.manual_seed(0)
images, labels = next(iter(DataLoader(optdigits(train=True), 32)))
model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10))
sgd = nn.optim.SGD(model.parameters(), lr=0.1)
losses = []
for _ in range(20):
    sgd.zero_grad()
    with tg.viz.trace() as step:
        loss = nn.cross_entropy(model(images), labels)
        loss.backward()
    sgd.step()
    losses.append(loss.item())
assert losses[-1] < losses[0], losses
drawing = tg.viz.graph(step, compact=True)
page = drawing.save("step.html").read_text(encoding="utf-8")
assert "<script" in page and "</html>" in page
tg.save(model.state_dict(), "weights.safetensors")
model.load_state_dict(tg.load("weights.safetensors"))
print(f"tensorgrad {tg.__version__} works: the loss went from {losses[0]:.3f} to {losses[-1]:.3f}")
"""


def main() -> None:
    """Run the command line."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit(f"name one wheel, got {' '.join(sys.argv[1:]) or 'none'}")
    wheel = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        venv.create(Path(folder, "env"), with_pip=True)
        python = Path(folder, "env", *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
        empty = Path(folder, "empty")
        empty.mkdir()
        for command in (["-m", "pip", "install", "--quiet", wheel], ["-c", PROGRAM], ["-m", "tensorgrad", "doctor"]):
            subprocess.run([python, *command], cwd=empty, check=True)


if __name__ == "__main__":
    main()
