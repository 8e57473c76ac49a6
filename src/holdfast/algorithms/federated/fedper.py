"""Federated learning with personal last layers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from holdfast.algorithms.federated.personal import PersonalLayers, layer_of, matching
from holdfast.errors import InputError
from holdfast.layout import Layout

__all__ = ["FedPer"]


class FedPer(PersonalLayers):
    r"""Personal last layers: the nodes share the first layers, and each has its own after them.

    Node i uses the model (x, v_i). From the shared x it trains both to (y_i, v_i), keeps v_i, and with n_i samples

    .. math:: x \leftarrow x + \sum_i \frac{n_i}{\sum_j n_j} (y_i - x)

    or the aggregation rule of the experiment in place of the weighted mean. Personal layers do not travel and cost no
    bytes. The coordinator never sees them: the model that it evaluates has them as they were at first, so look at the
    metrics ``personal_…`` and ``local_…``, which judge the nodes' own models.

    Raises:
        InputError: before the first round: there is no such layer, or none would be shared.

    Source: Arivazhagan et al. 2019, "Federated Learning with Personalization Layers", Algorithms 1 and 2.

    Example:
        >>> FedPer(layers=2).layers, FedPer(layers=["head", "blocks.3.*"]).layers
        (2, ('head', 'blocks.3.*'))
    """

    layers: Annotated[int, Field(ge=1)] | Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        1, description="what stays on the nodes: how many layers, from the last one back, or patterns of their names"
    )

    def own_layers(self, layout: Layout) -> set[str]:
        """The names of the layers that stay on the nodes.

        Raises:
            InputError: there is no such layer, or there are too few.
        """
        if not isinstance(self.layers, int):
            return matching(self.layers, layout)
        layers = list(dict.fromkeys(layer_of(name) for name in layout.parameter_names))
        if self.layers >= len(layers):
            remedy = "Use a deeper network." if len(layers) == 1 else f"Use layers: {len(layers) - 1} at most."
            required = f"leave some of the network's {len(layers)} layers to share"
            raise InputError("algorithm.layers", required, self.layers, remedy)
        return set(layers[-self.layers :])
