"""A node's place among the others, where no coordinator is needed to see it."""

from __future__ import annotations

import pytest

from holdfast.runtimes.network.desk import Arrived
from holdfast.runtimes.network.identity import Identity
from holdfast.runtimes.network.member import Membership
from holdfast.runtimes.network.post import Address
from holdfast.runtimes.network.wire import CHUNK, Begin, End, Go, Parcel, Statement

TO = {"sender": "coordinator", "to": "alice"}
MODEL = Parcel(run="ab-1", **TO, phase="peer", round=9, nodes=[], specs=[], chunk=CHUNK, digests=b"")


@pytest.mark.parametrize("what", [Arrived(MODEL, {}), Go(run="ab-1", **TO, round=9)], ids=["parcel", "go"])
def test_what_lay_in_the_tray_when_a_run_began_is_not_of_it(what: Arrived | Statement) -> None:
    membership = Membership(Address("127.0.0.1", 1), Identity.fresh("alice"))
    for run, taken in (("ab-1", what), ("ab-2", None)):
        membership.begin(Begin(run=run, **TO, variant="main", round=0))
        membership.tray.put(what)
        assert membership.next(0) == taken


def test_an_end_counts_before_a_run_has_begun() -> None:
    membership, end = Membership(Address("127.0.0.1", 1), Identity.fresh("alice")), End(run="ab-1", **TO, reason="over")
    membership.tray.put(end)
    assert membership.next(0) == end
