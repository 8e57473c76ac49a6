"""The files that a newcomer would copy are what they say they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.experiment import load
from holdfast.mapping import read
from holdfast.sweep.grid import load_sweep

FOLDER = Path(__file__).parent.parent / "examples"
FILES = sorted(FOLDER.rglob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_an_example_is_valid(file: Path) -> None:
    if "grid" in read(file):
        assert len(load_sweep(file).cells) > 1
    else:
        assert load(file).name != "experiment", "an example has a name"
