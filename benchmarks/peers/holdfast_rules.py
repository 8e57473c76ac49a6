"""Times Holdfast's rules."""

import argparse
from collections.abc import Callable

import torch
from rules import compete

from holdfast.aggregators import Aggregator, PreAggregator, Robust
from holdfast.catalogue import build, catalogue

SLOW = {"smallest_variance", "minimum_diameter"}
"""Rules that look at subsets of the rows; timed only where they are asked for."""


def rules(options: argparse.Namespace) -> dict[str, Callable[[torch.Tensor], object]]:
    made: dict[str, Callable[[torch.Tensor], object]] = {}
    for name, cls in catalogue("aggregators").items():
        before = issubclass(cls, PreAggregator)
        shown = f"{name} + trimmed_mean" if before else name
        if shown not in options.rules and (options.rules or name in SLOW):
            continue
        stage = {"name": name, **({"f": options.f} if issubclass(cls, Robust) else {})}
        rule = build(Aggregator, [stage, {"name": "trimmed_mean", "f": options.f}] if before else stage)
        if rule.least <= options.rows:
            made[shown] = rule
    return {**made, "nnm + krum": build(Aggregator, [{"name": name, "f": options.f} for name in ("nnm", "krum")])}


if __name__ == "__main__":
    compete(rules)
