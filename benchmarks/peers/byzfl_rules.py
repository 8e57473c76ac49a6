"""Times ByzFL's rules; runs in .venv-byzfl, with stand-ins for what ByzFL loads to train and to plot."""

import argparse
import sys
from collections.abc import Callable
from unittest.mock import MagicMock

import torch
from rules import compete

for package in ("torchvision", "byzfl.benchmark"):
    sys.modules[package] = MagicMock()

import byzfl  # noqa: E402


def rules(options: argparse.Namespace) -> dict[str, Callable[[torch.Tensor], object]]:
    f = options.f
    nnm, trimmed, krum = byzfl.NNM(f=f), byzfl.TrMean(f=f), byzfl.Krum(f=f)
    return {
        "mean": byzfl.Average(),
        "median": byzfl.Median(),
        "trimmed_mean": trimmed,
        "mean_around_median": byzfl.Meamed(f=f),
        "krum": krum,
        "multi_krum": byzfl.MultiKrum(f=f),
        "geometric_median": byzfl.GeometricMedian(),
        "centered_clipping": byzfl.CenteredClipping(),
        "caf": byzfl.CAF(f=f),
        "nnm + trimmed_mean": lambda x_MD: trimmed(nnm(x_MD)),
        "nnm + krum": lambda x_MD: krum(nnm(x_MD)),
    }


if __name__ == "__main__":
    compete(rules)
