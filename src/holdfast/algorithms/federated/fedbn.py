"""Federated learning with each node's own normalisation."""

from __future__ import annotations

from pydantic import Field

from holdfast.algorithms.federated.personal import PersonalLayers, layer_of, matching
from holdfast.layout import Layout

__all__ = ["FedBN"]


class FedBN(PersonalLayers):
    r"""Personal normalisation: nodes whose inputs differ in scale or style share all layers but the normalising ones.

    Node i uses the model (x, v_i), where v_i holds the means, variances, scales and shifts of the normalisation. From
    the shared x it trains both to (y_i, v_i), keeps v_i, and with n_i samples

    .. math:: x \leftarrow x + \sum_i \frac{n_i}{\sum_j n_j} (y_i - x)

    or the aggregation rule of the experiment in place of the weighted mean. A layer counts as normalising if it keeps a
    running mean, as batch normalisation does, or if its weight and its bias are vectors of one length, as in a layer's
    or a group's normalisation. In a network without one this is FedAvg. The model that the coordinator evaluates has
    these layers as they were at first: look at the metrics ``personal_…`` and ``local_…``, which judge the nodes' own.

    Raises:
        InputError: before the first round: there is no such layer, or none would be shared.

    Source: Li et al. 2021, "FedBN: Federated Learning on Non-IID Features via Local Batch Normalization", Algorithm 1.

    Example:
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 3))
        >>> FedBN().own_layers(Layout.of(network))
        {'1'}
    """

    layers: tuple[str, ...] = Field((), description="patterns of the names of further layers that stay on the nodes")

    def own_layers(self, layout: Layout) -> set[str]:
        """The names of the layers that stay on the nodes.

        Raises:
            InputError: there is no layer of a further name.
        """
        shapes: dict[str, dict[str, tuple[int, ...]]] = {}
        for name, shape in layout.shapes.items():
            shapes.setdefault(layer_of(name), {})[name.rpartition(".")[2]] = shape
        return {layer for layer, own in shapes.items() if _normalises(own)} | matching(self.layers, layout)


def _normalises(shapes: dict[str, tuple[int, ...]]) -> bool:
    """Whether a layer with tensors of these shapes normalises.

    Example:
        >>> _normalises({"weight": (4,), "bias": (4,)}), _normalises({"weight": (4, 2), "bias": (4,)})
        (True, False)
    """
    weight = shapes.get("weight", ())
    return "running_mean" in shapes or (len(weight) == 1 and shapes.get("bias") == weight)
