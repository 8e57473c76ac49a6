"""Benchmarks of real processes, each chosen by its name, or all: throughput, rounds, lossy, soak."""

from __future__ import annotations

import argparse
import signal
import sys
from importlib import import_module

from benchmarks import harness
from benchmarks.network.outcome import Outcome

NAMES = ("throughput", "rounds", "lossy", "soak")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.network", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="few rounds and repeats: rough figures")
    options = parser.parse_args()
    options.names = options.names or NAMES
    return options


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # processes and namespaces must not live on
    machine = harness.machine()
    warning = harness.busy(machine)
    print(machine, warning, sep="\n", flush=True)
    found: dict[str, Outcome] = {}
    for name in options.names:
        print(f"\n{name}", flush=True)
        found[name] = outcome = import_module(f"benchmarks.network.{name}").measure(options.quick)
        print(outcome.table, *outcome.verdicts, sep="\n", flush=True)
        content = {"machine": machine, "warning": warning, "quick": options.quick, **vars(outcome)}
        print("written:", harness.save(f"network_{name}", content).relative_to(harness.ROOT), warning)


if __name__ == "__main__":
    main()
