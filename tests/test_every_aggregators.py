"""What every aggregation rule promises."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from holdfast.aggregators import Aggregator, PreAggregator, Robust
from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError

from .contract import check_component

NAMES = list(catalogue("aggregators"))
ROBUST = [name for name, cls in catalogue("aggregators").items() if issubclass(cls, Robust)]
every = pytest.mark.parametrize("name", NAMES)
precisions = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def rule_of(name: str) -> Aggregator:
    return build(Aggregator, name)


def some_rows(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64).to(dtype)


@every
def test_is_a_component(name: str) -> None:
    check_component(catalogue("aggregators")[name], Aggregator)


@every
@precisions
def test_rows_in_one_row_out(name: str, dtype: torch.dtype) -> None:
    x_MD = some_rows(11, 6, dtype=dtype)
    before_MD, rule = x_MD.clone(), rule_of(name)
    state, first_D = rule.aggregate({}, x_MD)
    assert isinstance(state, dict)
    assert (first_D.shape, first_D.dtype) == ((6,), dtype)
    assert torch.equal(first_D, rule(x_MD)), "not deterministic"
    assert torch.equal(x_MD, before_MD), "changed its input"


@every
@precisions
def test_a_batch_is_a_loop_over_inboxes(name: str, dtype: torch.dtype) -> None:
    x_ABMD, rule = some_rows(2, 3, 9, 5, dtype=dtype), rule_of(name)
    x_ABMD[1, 2, 4, 3] = torch.nan
    expected = torch.stack([torch.stack([rule(x_MD) for x_MD in x_BMD]) for x_BMD in x_ABMD])
    torch.testing.assert_close(rule(x_ABMD), expected, equal_nan=True)


@every
def test_as_few_rows_as_it_says(name: str) -> None:
    rule = rule_of(name)
    assert rule.least >= rule.requires(rule.tolerates) >= 1
    assert rule(some_rows(rule.least, 4)).isfinite().all()
    with pytest.raises(InputError, match="rows"):
        rule(some_rows(rule.least - 1, 4))


@every
def test_refuses_what_is_not_rows_of_floats(name: str) -> None:
    for wrong in (torch.ones(9, 3, dtype=torch.int64), torch.ones(9)):
        with pytest.raises(InputError, match="floating point"):
            rule_of(name)(wrong)


@every
def test_rows_may_come_as_a_list_if_they_are_alike(name: str) -> None:
    rule, x_MD = rule_of(name), some_rows(9, 4)
    assert torch.equal(rule(list(x_MD)), rule(x_MD))
    for wrong in ([x_MD[0], x_MD[1, :3]], []):
        with pytest.raises(InputError, match="x_MD must hold"):
            rule(wrong)


@pytest.mark.parametrize("name", ROBUST)
@pytest.mark.parametrize("lie", [torch.nan, torch.inf, -torch.inf, 1e6, 3e38])
@pytest.mark.parametrize("row", [0, 6])
def test_a_robust_rule_stays_near_the_honest_rows(name: str, lie: float, row: int) -> None:
    rule = rule_of(name)
    if row == 0 and rule.on_graphs_only:
        pytest.skip(f"row 0 is the own one of {name}")
    if isinstance(rule, PreAggregator):
        rule = build(Aggregator, [name, "median"])
    x_MD = some_rows(9, 5)
    x_MD[row] = lie
    honest_HD = x_MD[[i for i in range(9) if i != row]]
    diameter = torch.cdist(honest_HD, honest_HD).max()
    assert (rule(x_MD) - honest_HD.mean(0)).norm() <= 2 * diameter


@every
def test_a_hole_costs_one_coordinate_of_one_row_where_the_rule_says_so(name: str) -> None:
    rule = rule_of(name)
    if not rule.takes_missing:
        pytest.skip(f"{name} needs whole rows")
    x_MD = some_rows(7, 4)
    holed_MD = x_MD.clone()
    holed_MD[2, 1] = torch.nan
    whole_D, holed_D = rule(x_MD), rule(holed_MD)
    others = [0, 2, 3]
    assert torch.equal(holed_D[others], whole_D[others])
    torch.testing.assert_close(holed_D[1], rule(x_MD[[0, 1, 3, 4, 5, 6]])[1])
