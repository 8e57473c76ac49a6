"""What every fault promises."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.catalogue import build, catalogue
from holdfast.faults import Fault
from holdfast.types import SERVER

from .contract import check_component

every = pytest.mark.parametrize("name", list(catalogue("faults")))
NODES, SOME = np.arange(12), np.array([7, 0, 1])
SENDERS, RECEIVERS = np.append(NODES, [SERVER] * 12), np.append([SERVER] * 12, NODES)


@every
def test_is_a_component(name: str) -> None:
    check_component(catalogue("faults")[name], Fault)


@every
@pytest.mark.parametrize("round", [0, 1, 5])
def test_says_what_happens_to_each_node_and_link(name: str, round: int) -> None:
    fault = build(Fault, name)
    up_K, work_K, late_K = (hook(round, NODES, 1) for hook in (fault.up, fault.work, fault.lateness))
    arrives_E = fault.delivers(round, SENDERS, RECEIVERS, 1)
    assert up_K.shape == work_K.shape == late_K.shape == (12,)
    assert arrives_E.shape == (24,)
    assert [a.dtype.kind for a in (up_K, work_K, late_K, arrives_E)] == ["b", "f", "i", "b"]
    assert ((work_K > 0) & (work_K <= 1)).all()
    assert (late_K >= 0).all()
    assert fault.last_node() >= -1


@every
@pytest.mark.parametrize("hook", ["up", "work", "lateness"])
def test_a_node_fares_alike_alone_and_among_others(name: str, hook: str) -> None:
    ask = getattr(build(Fault, name), hook)
    for round in range(20):
        assert (ask(round, NODES, 1)[SOME] == ask(round, SOME, 1)).all()
        assert (ask(round, NODES, 1) == ask(round, NODES, 1)).all()
    assert ask(0, NODES[:0], 1).shape == (0,)


@every
def test_a_link_fares_alike_alone_and_among_others(name: str) -> None:
    fault = build(Fault, name)
    for round in range(20):
        whole_E = fault.delivers(round, SENDERS, RECEIVERS, 1)
        assert (whole_E[SOME] == fault.delivers(round, SENDERS[SOME], RECEIVERS[SOME], 1)).all()


@every
def test_nothing_goes_wrong_in_what_it_does_not_touch(name: str) -> None:
    fault = build(Fault, name)
    neutral = {"up": True, "work": 1.0, "lateness": 0, "delivers": True}
    untouched = [hook for hook in neutral if getattr(type(fault), hook) is getattr(Fault, hook)]
    assert len(untouched) < len(neutral), "it does nothing at all"
    for hook in untouched:
        ends = (SENDERS, RECEIVERS) if hook == "delivers" else (NODES,)
        assert (getattr(fault, hook)(5, *ends, 1) == neutral[hook]).all()
