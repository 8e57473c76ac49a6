"""Federated stochastic gradient descent."""

from __future__ import annotations

from pydantic import Field

from holdfast.algorithms.federated.robust_sgd import RobustSGD

__all__ = ["FedSGD"]


class FedSGD(RobustSGD):
    r"""Federated SGD: a gradient over all samples of every node asked, one step of the coordinator a round.

    .. math:: x \leftarrow x - \eta \sum_i \frac{n_i}{\sum_j n_j} \nabla F_i(x)

    where F_i is the mean loss over the n_i samples of node i; so with everyone asked it is gradient descent on all
    samples. It is `RobustSGD` whose batches are whole, and FedAvg with one local step.

    Source: McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from Decentralized Data", section 2.

    Example:
        >>> FedSGD(optimizer={"lr": 0.5}).batch_size is None
        True
    """

    batch_size: int | None = Field(None, ge=1, description="samples in a batch; null takes all samples of the node")
