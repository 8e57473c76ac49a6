from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.runtimes.network.host import check_sight, trusted

from ...spies import SpyAttack, SpyColluders, SpyOmniscient
from ...tiny import Blobs, prepare

SIX: dict[str, Any] = {"algorithm": "fedavg", "problem": Blobs(), "nodes": 6, "engine": "sequential"}


@pytest.mark.parametrize(
    ("attack", "rows", "sees"),
    [
        (SpyAttack(nodes=(1, 4)), [0, 1], True),
        (SpyColluders(nodes=(1, 4)), [1, 4], True),
        (SpyColluders(nodes=(1, 4)), [0, 1, 2, 3], False),
        (SpyOmniscient(nodes=(1, 4)), [0, 1, 4, 5], False),
        (SpyOmniscient(nodes=(1, 4)), [0, 1, 2, 3, 4, 5], True),
        (SpyOmniscient(nodes=(1, 4)), [0, 2, 3], True),  # no attacker here
    ],
)
def test_an_attack_sees_no_further_than_its_process(attack: SpyAttack, rows: list[int], sees: bool) -> None:
    run = prepare(**SIX, attack=attack)
    if sees:
        check_sight(run, np.array(rows))
        return
    with pytest.raises(InputError, match="attack must see no further than the process that it runs in") as error:
        check_sight(run, np.array(rows))
    for works in ("sign_flip", "backdoor", "stale", "nan"):
        assert works in error.value.remedy
    for needs_more in ("alie", "ipm", "mimic"):
        assert needs_more not in error.value.remedy


@pytest.mark.parametrize("name", ["{}:Own", "{}:", "{}:a-b", "{}-b:Own", " {}:Own", "{}:Own ", "{}:Own:Own", "{}:O\n"])
def test_nothing_is_imported_on_a_coordinators_word(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("evil_side", "evil_side-b", " evil_side"):
        (tmp_path / f"{module}.py").write_text("import sys\nsys.evil_side = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with pytest.raises(InputError):
        trusted({"algorithm": "fedavg", "problem": {"name": name.format("evil_side")}})
    assert not hasattr(sys, "evil_side")
