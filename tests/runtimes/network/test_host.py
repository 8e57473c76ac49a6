from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.runtimes.network.host import check_sight

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
