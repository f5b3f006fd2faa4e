"""The command line: compile the kernels ahead, draw a saved model's graph."""

import argparse
import importlib
import importlib.util
import math
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorgrad as tg
from tensorgrad import kernels
from tensorgrad.errors import ArgumentError, TensorgradError, restate
from tensorgrad.viz.graph.drawing import check_path

LARGEST = 10**9
"""Elements of an input that is drawn: more than that is a slip."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tensorgrad", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    about = "compile every kernel, or load it from the cache, and report each: so that no first step has to wait"
    commands.add_parser("warmup", help=about, description=about)
    about = "run a model once, forward and back, and draw the chain rule it took"
    draw = commands.add_parser("draw", help=about, description=about)
    draw.add_argument(
        "model",
        help="file.py:name or package.module:name of a model, its class, or a function that makes it; the file is run "
        "to find it, but for what stands under `if __name__ == '__main__':`",
    )
    draw.add_argument("weights", nargs="?", type=Path, help="a .safetensors file: tg.save(model.state_dict(), ...)")
    draw.add_argument("--input", required=True, type=_sizes, help="the sizes of an input, batch included: 1,1,28,28")
    draw.add_argument("--label", type=int, help="draw the cross-entropy of this class, not the sum of the outputs")
    draw.add_argument("--train", action="store_true", help="in training mode: dropout drops, batch norm uses the batch")
    draw.add_argument("--out", type=Path, default=Path("graph.html"), help="a .html, .svg, .png or .dot file")
    options = parser.parse_args(arguments)
    if options.command == "warmup":
        warm_up()
        return
    del options.command
    try:
        print(f"wrote {draw_model(**vars(options))}")
    except TensorgradError as error:
        sys.exit(str(error))
    except (OSError, ImportError) as error:
        sys.exit(f"draw: {error}")


def warm_up() -> None:
    """Compile or load every kernel, a line for each."""
    start = time.perf_counter()
    for name, seconds in kernels.warmup():
        print(f"{name:<32} {seconds:7.2f} s", flush=True)
    print(f"all kernels are ready after {time.perf_counter() - start:.1f} s")


def draw_model(
    model: str, weights: Path | None, input: tuple[int, ...], label: int | None, train: bool, out: Path
) -> Path:
    """Draw a model's graph on random numbers in place of an input; returns the path of the drawing.

    Args:
        model: `file.py:name` or `package.module:name` of a Module, or of something that makes one without arguments.
        weights: its state dict; without one it stays as it was made.
        input: its sizes.
        label: what every example is taken to be, for a cross-entropy; without one the outputs are summed.
        train: in training mode.
        out: the file to write; its suffix names the format.

    Raises:
        ArgumentError: no such model, a file that doesn't run, a model that fails on such an input, a path that can't be
            written to.
        TensorgradError: weights that don't fit, an input that doesn't.
    """
    check_path("draw", out)
    net = _model(model)
    if weights is not None:
        net.load_state_dict(tg.load(weights))
    net.train(train)
    tg.manual_seed(0)
    x = tg.randn(*input)
    x.name = "input"
    with tg.viz.trace() as trace:
        with _blamed(f"the model fails on an input of {input}"):
            output = net(x)
        if not isinstance(output, tg.Tensor):
            expected = "a model that returns one tensor"
            raise ArgumentError(restate("draw", f"{model} returns {type(output).__name__}", expected=expected))
        loss = output.sum() if label is None else tg.nn.cross_entropy(output, tg.full((len(output),), label))
        loss.backward()
    return tg.viz.graph(trace).save(out)


def _model(model: str) -> Any:
    """The Module that `file.py:name` or `package.module:name` stands for, or that it makes."""
    place, _, name = model.rpartition(":")
    expected = "file.py:Net or package.module:Net"
    if not place or not name:
        raise ArgumentError(restate("draw", "the model needs a place and a name", expected=expected, model=model))
    with _blamed(f"no such model: {place} can't be loaded"):
        module = _load(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    if not hasattr(module, name):
        models = ", ".join(other for other, value in vars(module).items() if _makes_models(value)) or "none"
        problem = f"no such model: there is no {name!r} in {place}"
        raise ArgumentError(restate("draw", problem, expected=f"one of its models: {models}", model=model))
    made = getattr(module, name)
    if callable(made) and not isinstance(made, tg.nn.Module):
        with _blamed(f"{model} can't be called without arguments"):
            made = made()
    if not isinstance(made, tg.nn.Module):
        fix = "name a Module, its class, or a function that makes one without arguments"
        raise ArgumentError(restate("draw", f"{model} is no model", expected="a Module", fix=fix, found=type(made)))
    return made


def _makes_models(value: Any) -> bool:
    own = isinstance(value, type) and issubclass(value, tg.nn.Module) and not value.__module__.startswith("tensorgrad.")
    return own or isinstance(value, tg.nn.Module)


@contextmanager
def _blamed(problem: str) -> Iterator[None]:
    """Whatever the user's program raises, as one line: what, and where in that program."""
    try:
        yield
    except TensorgradError:
        raise
    except (Exception, SystemExit) as error:
        said = str(error).partition("\n")[0]
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
        at = f", in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
        if isinstance(error, SyntaxError):
            said, at = error.msg, f", in line {error.lineno} of {Path(error.filename).name}" if error.filename else ""
        raise ArgumentError(f"draw: {problem}: {type(error).__name__}: {said}{at}") from error


def _is_ours(file: str) -> bool:
    """Whether a line of a traceback belongs to what loads the user's file."""
    return file == __file__ or file.startswith("<frozen ") or Path(file).parent.name == "importlib"


def _load(path: Path) -> Any:
    if not path.is_file():
        raise ArgumentError(restate("draw", "no such model: there is no such file", path=str(path)))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    # What a file imports from beside it, it finds as if it were run; and dataclasses look for their module.
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.lower().replace("x", ",").split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 0 or math.prod(sizes) > LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r}: expected the sizes of an input, such as 1,1,28,28")
    return sizes


if __name__ == "__main__":
    main()
