"""A problem whose samples lie in each node's own folder: one CSV file a hospital, and one for the test.

python examples/hospitals/ward.py /tmp/wards        # makes three wards of invented patients, and a test set
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.problems.base import Problem, Task

FEATURES = 8


class Ward(Problem):
    """Who will stay for more than a week, from eight numbers measured on the first day."""

    def load(self, data_dir: Path | None = None) -> Task:
        """The patients of ``patients.csv`` in the folder of `--data`; a tenth of them is kept to judge by."""
        if data_dir is None or not (data_dir / "patients.csv").exists():
            raise InputError("--data", "name a folder with patients.csv", str(data_dir), "Make one with ward.py, say.")
        table = np.loadtxt(data_dir / "patients.csv", delimiter=",", dtype=np.float32)
        inputs, targets = torch.from_numpy(table[:, :-1]), torch.from_numpy(table[:, -1]).long()
        held_out = max(1, len(table) // 10)
        test = inputs[:held_out], targets[:held_out]
        return Task(_network, (inputs[held_out:], targets[held_out:]), test, classes=2)


def _network() -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, 16), nn.ReLU(), nn.Linear(16, 2))


def _write(folder: Path, patients: int, seed: int, shift: float) -> None:
    source = torch.Generator().manual_seed(seed)
    inputs = torch.randn(patients, FEATURES, generator=source) + shift
    stays: Tensor = (inputs.square().sum(1) > FEATURES).float()
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "patients.csv", torch.cat([inputs, stays.unsqueeze(1)], 1).numpy(), delimiter=",", fmt="%.4g")


if __name__ == "__main__":
    where = Path(sys.argv[1])
    for number, (name, patients) in enumerate({"alice": 400, "bob": 900, "carol": 150, "coordinator": 5000}.items()):
        _write(where / name, patients, seed=number, shift=0.3 * (number % 3))
    print(f"Wrote {', '.join(sorted(path.name for path in where.iterdir()))} in {where}")
