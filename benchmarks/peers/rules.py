"""What the contenders of the aggregation benchmark share: the rows, and how a rule is timed."""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable, Mapping

import torch

THREADS = 2


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=19)
    parser.add_argument("--columns", type=int, default=1_756_426)
    parser.add_argument("--f", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rules", nargs="*", default=[])
    return parser.parse_args()


def compete(make: Callable[[argparse.Namespace], Mapping[str, Callable[[torch.Tensor], object]]]) -> None:
    """Print the median milliseconds of each rule on the same normal rows, the first call apart, as a line of JSON."""
    options = arguments()
    torch.set_num_threads(THREADS)
    x_MD = torch.randn(options.rows, options.columns, generator=torch.Generator().manual_seed(1))
    found, before = {}, _peak_mib()
    for name, rule in make(options).items():
        if not options.rules or name in options.rules:
            first, *seconds = (_seconds(rule, x_MD) for _ in range(1 + options.repeats))
            found[name] = {"ms": 1000 * statistics.median(seconds), "first_ms": 1000 * first}
    print(json.dumps({"rules": found, "rows_mib": before, "peak_mib": _peak_mib()}))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _seconds(rule: Callable[[torch.Tensor], object], x_MD: torch.Tensor) -> float:
    start = time.perf_counter()
    rule(x_MD)
    return time.perf_counter() - start
