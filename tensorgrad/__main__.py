"""`python -m tensorgrad warmup`: compile the kernels ahead, so that no first step has to wait."""

import argparse
import time

from tensorgrad import kernels


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tensorgrad", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("warmup", help="compile every kernel, or load it from the cache, and report each")
    parser.parse_args()
    warm_up()


def warm_up() -> None:
    """Compile or load every kernel, a line for each."""
    start = time.perf_counter()
    for name, seconds in kernels.warmup():
        print(f"{name:<32} {seconds:7.2f} s", flush=True)
    print(f"all kernels are ready after {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
