"""Speaking as often as the own samples are worth to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import comb
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.seeding import generator
from holdfast.triggers.base import News
from holdfast.triggers.schedules import IntervalTrigger, due, scaled, sends
from holdfast.types import FloatArray, State

__all__ = ["Shapley"]

EXACT_UP_TO = 12
"""Up to how many nodes every coalition is looked at: there are 2ⁿ - 1."""
RATE = 0.5
"""The learning rate of the small models; with inputs of length 1 it is safe."""
TOGETHER = 64
"""How many coalitions are judged at once."""

Worth = Callable[[Tensor], Tensor]


class Shapley(IntervalTrigger):
    r"""A node speaks the more often, the greater its samples' Shapley value is.

    Before the first round each node reports a small linear model of its samples, from 0 by full batches, logistic for
    classes and least squares in a regression. The value v(S) of a coalition is the negative loss of its averaged model
    on a part of the training samples that nobody reports about; that of nobody is the model 0. With

    .. math:: s_i = \Bigl| \sum_{S \not\ni i} \frac{|S|!\,(n - |S| - 1)!}{n!} (v(S \cup i) - v(S)) \Bigr|

    scaled to 0..1 over the nodes, T rounds and the interval I, a node speaks

        c = max(1, ⌈ŝ ⌈T/I⌉⌉) times,  every τ = ⌈T/c⌉ rounds and in the last ones

    Where all values are the same, ŝ = 1; a node that has not reported speaks in every round. The rounds are set before
    the first: a node that is not asked in one of them does not speak later instead. For more than 12 nodes the sum is
    estimated from random orders in which nodes join. What a silent node has learned is lost with the next broadcast,
    unless the algorithm keeps it, as `fedavg` with ``keep_local``.

    Raises:
        InputError: in an experiment with fewer rounds than the interval, or with too many nodes for an exact sum.

    Example:
        >>> one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        >>> samples = [(one, torch.tensor([0])), (other, torch.tensor([1])), (other, torch.tensor([1]))]
        >>> trigger, validation = Shapley(epochs=50), (torch.cat([one, other]), torch.tensor([0, 1]))
        >>> reports = [trigger.survey(*own, classes=2, seed=1) for own in samples]
        >>> news = News(9, torch.empty(0), torch.stack(reports), np.zeros(3), validation, np.ones(3, dtype=bool))
        >>> trigger.values(news.reports_NR, news).round(2)
        array([ 0.41, -0.06, -0.06])

    Source: Shapley 1953, "A Value for n-Person Games"; Castro et al. 2009, "Polynomial Calculation of the Shapley Value
    Based on Sampling", section 3; dyn-fed, its Shapley mode, which judged by the test samples.
    """

    surveys: ClassVar[bool] = True

    epochs: int = Field(100, ge=1, description="gradient steps of each node's small model, over all of its samples")
    sampling: Literal["auto", "exact", "permutations"] = Field(
        "auto", description="whether to look at all coalitions, or at random orders; auto is exact for up to 12 nodes"
    )
    permutations: int = Field(100, ge=1, description="how many random orders, where the sum is estimated")
    seed: int = Field(0, ge=0, lt=2**63, description="the seed of the random orders")

    def check(self, nodes: int, rounds: int) -> None:
        """Refuse an interval longer than the run, and exact sums over too many nodes."""
        super().check(nodes, rounds)
        if self.sampling == "exact" and nodes > EXACT_UP_TO:
            required = f"be auto or permutations with more than {EXACT_UP_TO} nodes"
            raise InputError("sampling", required, f"exact with {nodes} nodes", "Exact sums look at 2ⁿ coalitions.")

    def survey(self, inputs: Tensor, targets: Tensor, classes: int | None, seed: int) -> Tensor:
        """(R,) the weights of the node's small model, (features + 1, outputs) flattened."""
        x_SF = _features(inputs)
        y_SC = _outcomes(targets, classes or (targets[:1].numel() if targets.is_floating_point() else 1))
        w_FC = x_SF.new_zeros(x_SF.shape[1], y_SC.shape[1])
        for _ in range(self.epochs):
            outputs_SC = x_SF @ w_FC
            found_SC = outputs_SC.softmax(1) if _of_classes(targets, y_SC.shape[1]) else outputs_SC
            w_FC = w_FC - RATE / len(x_SF) * x_SF.T @ (found_SC - y_SC)
        return w_FC.flatten().float()

    def plan(self, state: State, round: int, news: News) -> tuple[State, FloatArray]:
        """The values of those who have reported, and (N,) 1 for who is to speak."""
        known_N = news.reports_NR.isfinite().all(1).cpu()
        if not state or not torch.equal(state["known"].cpu(), known_N):
            value_N = torch.full((len(known_N),), torch.nan, dtype=torch.float64)
            value_N[known_N] = torch.from_numpy(self.values(news.reports_NR[known_N.to(news.reports_NR.device)], news))
            state = {"known": known_N, "value": value_N}
        share_N = scaled(state["value"].abs().cpu().numpy())
        times_N = sends(share_N, np.full(len(share_N), news.rounds), self.interval)
        return state, due(times_N, news.rounds, round).astype(np.float64)

    def values(self, reports_NR: Tensor, news: News) -> FloatArray:
        """(N,) the Shapley values of nodes that report these models."""
        if not len(reports_NR):
            return np.zeros(0)
        x_VF, targets = _features(news.validation[0]), news.validation[1]
        outputs_NVC = x_VF @ reports_NR.to(x_VF).unflatten(1, (x_VF.shape[1], -1))  # of a mean model: their mean
        y_VC = _outcomes(targets, outputs_NVC.shape[2])
        of_classes = _of_classes(targets, outputs_NVC.shape[2])
        exact = self.sampling != "permutations" and len(reports_NR) <= EXACT_UP_TO

        def worth(outputs_PVC: Tensor) -> Tensor:
            return -_losses(outputs_PVC, y_VC, of_classes)

        return _exact(outputs_NVC, worth) if exact else _sampled(outputs_NVC, worth, self.permutations, self.seed)


def _features(inputs: Tensor) -> Tensor:
    """(S, F) the inputs as rows of length 1, and a column of ones."""
    rows = nn.functional.normalize(inputs.flatten(1).double(), dim=1)
    return nn.functional.pad(rows, (0, 1), value=1.0)


def _of_classes(targets: Tensor, outputs: int) -> bool:
    return outputs > 1 and not targets.is_floating_point()


def _outcomes(targets: Tensor, outputs: int) -> Tensor:
    """(S, C) the numbers to hit; of classes the share of each, for a sample may have several targets."""
    flat = targets.reshape(len(targets), -1)
    if _of_classes(targets, outputs):
        return nn.functional.one_hot(flat, outputs).double().mean(1)
    return flat.double() if flat.shape[1] == outputs else flat.double().mean(1, keepdim=True)


def _losses(outputs_PVC: Tensor, y_VC: Tensor, of_classes: bool) -> Tensor:
    """(P,) the mean loss of each coalition's outputs."""
    if of_classes:
        return (outputs_PVC.logsumexp(2) - (outputs_PVC * y_VC).sum(2)).mean(1)
    return 0.5 * (outputs_PVC - y_VC).square().sum(2).mean(1)


def _exact(outputs_NVC: Tensor, worth: Worth) -> FloatArray:
    """(N,) the sums over all coalitions."""
    nodes = len(outputs_NVC)
    members_PN = torch.arange(2**nodes).unsqueeze(1) >> torch.arange(nodes) & 1
    sizes_P = members_PN.sum(1)
    shares_PN = (members_PN / sizes_P.clamp(min=1).unsqueeze(1)).to(outputs_NVC)
    blocks = (worth(torch.einsum("pn,nvc->pvc", some, outputs_NVC)) for some in shares_PN.split(TOGETHER))
    worth_P = torch.cat(list(blocks)).cpu().numpy()
    found_N = np.zeros(nodes)
    for node in range(nodes):
        without = np.flatnonzero(members_PN[:, node] == 0)
        weights = np.array([1 / (nodes * comb(nodes - 1, size)) for size in sizes_P[without].tolist()])
        found_N[node] = weights @ (worth_P[without | 1 << node] - worth_P[without])
    return found_N


def _sampled(outputs_NVC: Tensor, worth: Worth, permutations: int, seed: int) -> FloatArray:
    """(N,) the mean of what each node adds when it joins, over random orders."""
    found_N = np.zeros(len(outputs_NVC))
    for number in range(permutations):
        order_N = torch.randperm(len(outputs_NVC), generator=generator(seed, "shapley", number))
        worth_N1 = np.concatenate([worth_1.cpu().numpy() for worth_1 in _joining(outputs_NVC, order_N, worth)])
        found_N[order_N.numpy()] += np.diff(worth_N1) / permutations
    return found_N


def _joining(outputs_NVC: Tensor, order_N: Tensor, worth: Worth) -> Iterator[Tensor]:
    """What nobody is worth, and the first node, and the first two, and so on."""
    sum_VC, joined = torch.zeros_like(outputs_NVC[0]), 0
    yield worth(sum_VC.unsqueeze(0))
    for some in order_N.to(outputs_NVC.device).split(TOGETHER):
        sums_PVC = sum_VC + outputs_NVC[some].cumsum(0)
        sizes_P = torch.arange(joined + 1, joined + len(some) + 1).to(sums_PVC)
        yield worth(sums_PVC / sizes_P.view(-1, 1, 1))
        sum_VC, joined = sums_PVC[-1], joined + len(some)
