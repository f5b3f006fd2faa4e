"""The command line: compile the kernels ahead of time, draw a saved model's graph, describe the installation."""

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
from tensorgrad import installation, kernels
from tensorgrad.errors import ArgumentError, TensorgradError, restate
from tensorgrad.nn.optim.samples import samples as optimizer_samples
from tensorgrad.system.console import say
from tensorgrad.viz.graph.drawing import check_path

LARGEST = 10**9
"""The most elements of an input to draw; more than that is a typing error."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tensorgrad", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    about = "compile every kernel, or load it from the cache, and report each, so that no first step has to wait"
    commands.add_parser("warmup", help=about, description=about)
    about = "describe this installation, for bug reports: versions, processor, threads, cache, speed, extras"
    note = "`tg.viz.doctor(trace)` is another: it looks at a training for everyday mistakes."
    commands.add_parser("doctor", help=about, description=about, epilog=note)
    about = "run a model forward and backward once, and draw its graph with the chain rule"
    draw = commands.add_parser("draw", help=about, description=about)
    draw.add_argument(
        "model",
        help="file.py:name or package.module:name of a model, its class, or a function that returns it; the file is "
        "run, except for the block under `if __name__ == '__main__':`",
    )
    draw.add_argument("weights", nargs="?", type=Path, help="a .safetensors file: tg.save(model.state_dict(), ...)")
    draw.add_argument("--input", required=True, type=_sizes, help="the sizes of an input, batch included: 1,1,28,28")
    draw.add_argument("--label", type=int, help="draw the cross-entropy of this class, not the sum of the outputs")
    draw.add_argument("--train", action="store_true", help="in training mode: dropout drops, batch norm uses the batch")
    draw.add_argument("--compact", action="store_true", help="one box for each op, with the tensor that it makes")
    draw.add_argument("--out", type=Path, default=Path("graph.html"), help="a .html, .svg, .png or .dot file")
    options = parser.parse_args(arguments)
    if options.command == "warmup":
        warm_up()
        return
    if options.command == "doctor":
        say(installation.report())
        return
    del options.command
    try:
        print(f"wrote {draw_model(**vars(options))}")
    except TensorgradError as error:
        sys.exit(str(error))
    except (OSError, ImportError) as error:
        sys.exit(f"draw: {error}")


def warm_up() -> None:
    """Compile or load every kernel, and print a line for each."""
    start = time.perf_counter()
    for name, seconds in kernels.warmup(optimizers=optimizer_samples):
        print(f"{name:<32} {seconds:7.2f} s", flush=True)
    print(f"all kernels are ready after {time.perf_counter() - start:.1f} s")


def draw_model(
    model: str, weights: Path | None, input: tuple[int, ...], label: int | None, train: bool, compact: bool, out: Path
) -> Path:
    """Draw the graph of a model for a random input; return the path of the drawing.

    Args:
        model: `file.py:name` or `package.module:name` of a Module, or of a class or function that returns one without
            arguments.
        weights: a file with the model's state dict; None to keep its initial values.
        input: the shape of the input.
        label: the class of every example, for a cross-entropy; None to sum the outputs instead.
        train: run the model in training mode.
        compact: draw one box for each op, with the tensor that it makes.
        out: the file to write; its suffix is the format.

    Raises:
        ArgumentError: the model doesn't exist, its file can't be run, it fails on the input, or `out` can't be written.
        TensorgradError: weights or an input of another shape.
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
        with _user_errors(f"the model fails on an input of {input}"):
            output = net(x)
        if not isinstance(output, tg.Tensor):
            expected = "a model that returns one tensor"
            raise ArgumentError(restate("draw", f"{model} returns {type(output).__name__}", expected=expected))
        loss = output.sum() if label is None else tg.nn.cross_entropy(output, tg.full((len(output),), label))
        loss.backward()
    return tg.viz.graph(trace, compact=compact).save(out)


def _model(model: str) -> Any:
    """The Module at `file.py:name` or `package.module:name`, or the one that is made there."""
    place, _, name = model.rpartition(":")
    expected = "file.py:Net or package.module:Net"
    if not place or not name:
        problem = "model must be a file or module and a name"
        raise ArgumentError(restate("draw", problem, expected=expected, model=model))
    with _user_errors(f"{place} can't be loaded"):
        module = _load(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    if not hasattr(module, name):
        models = ", ".join(other for other, value in vars(module).items() if _makes_models(value)) or "none"
        problem = f"{place} has no model {name!r}"
        raise ArgumentError(restate("draw", problem, expected=f"one of its models: {models}", model=model))
    made = getattr(module, name)
    if callable(made) and not isinstance(made, tg.nn.Module):
        with _user_errors(f"{model} can't be called without arguments"):
            made = made()
    if not isinstance(made, tg.nn.Module):
        fix = "name a Module, its class, or a function that returns one without arguments"
        problem = f"{model} must be a Module, got {type(made).__name__}"
        raise ArgumentError(restate("draw", problem, fix=fix))
    return made


def _makes_models(value: Any) -> bool:
    own = isinstance(value, type) and issubclass(value, tg.nn.Module) and not value.__module__.startswith("tensorgrad.")
    return own or isinstance(value, tg.nn.Module)


@contextmanager
def _user_errors(problem: str) -> Iterator[None]:
    """Within, raise errors of the user's program as an ArgumentError of one line, with the place in that program."""
    try:
        yield
    except TensorgradError:
        raise
    except (Exception, SystemExit) as error:
        message = str(error).partition("\n")[0]
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
        at = f", in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
        if isinstance(error, SyntaxError):
            message = error.msg
            at = f", in line {error.lineno} of {Path(error.filename).name}" if error.filename else ""
        raise ArgumentError(f"draw: {problem}: {type(error).__name__}: {message}{at}") from error


def _is_ours(file: str) -> bool:
    """Whether a frame of a traceback belongs to the code that loads the user's file."""
    return file == __file__ or file.startswith("<frozen ") or Path(file).parent.name == "importlib"


def _load(path: Path) -> Any:
    if not path.is_file():
        raise ArgumentError(restate("draw", f"the file {path} doesn't exist"))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # as for every name that ends in .py
    module = importlib.util.module_from_spec(spec)
    # So that the file can import its neighbours, and dataclasses find their module.
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
