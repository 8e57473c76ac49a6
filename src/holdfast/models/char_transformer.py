"""A small transformer that predicts the next character."""

from __future__ import annotations

from math import inf

import torch
from pydantic import Field
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.models.base import Model

__all__ = ["CharTransformer"]


class CharTransformer(Model):
    r"""A small causal transformer: from each character and those before it, the logits of the next one.

    h = E[characters] + P; in each layer h ← h + attention(norm(h)), then h ← h + A_2 gelu(A_1 norm(h)); z = B norm(h)

    attention(h) = A concat_heads(softmax(q kᵀ/√d + mask) v) with q, k, v = A_q h, A_k h, A_v h of d = width / heads
    numbers a head; the mask is -∞ for the characters that are still to come. The norms are layer normalisations, all
    linear maps but those of q, k and v have a bias, the places P are learned, and A_1 widens h four times.

    It takes (batch, length) whole numbers below `outputs`, and gives (batch, length, outputs) logits. Another network
    that shall predict characters does the same.

    Raises:
        InputError: a hyperparameter is out of bounds, the heads do not divide the width, or the inputs are no lists.

    Example:
        >>> network = CharTransformer().build((64,), 97)
        >>> sum(p.numel() for p in network.parameters())
        116321
        >>> network(torch.zeros(2, 64, dtype=torch.int64)).shape
        torch.Size([2, 64, 97])

    Source: Vaswani et al., "Attention is all you need", 2017; the norms stand where Xiong et al., "On layer
    normalization in the transformer architecture", 2020, put them.
    """

    layers: int = Field(2, ge=1, description="how many times attention and perceptron alternate, in layers")
    width: int = Field(64, ge=1, description="how many numbers stand for a character, in units")
    heads: int = Field(4, ge=1, description="how many parts of the width attend by themselves, in heads")

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network."""
        if len(input_shape) != 1 or input_shape[0] < 1:
            remedy = "Use a problem about text, such as python_docs, or another model, such as mlp."
            raise InputError("problem.model", "take inputs (length,) of characters", input_shape, remedy)
        if self.width % self.heads:
            given = f"width {self.width} and heads {self.heads}"
            raise InputError("problem.model.heads", "divide the width", given, "Use a width that is a multiple.")
        return _Transformer(self, input_shape[0], outputs)


class _Transformer(nn.Module):
    def __init__(self, sizes: CharTransformer, length: int, characters: int) -> None:
        super().__init__()
        std = sizes.width**-0.5  # torch's 1 would drown what the first layers add, and learns more slowly
        self.embedding = nn.Embedding(characters, sizes.width)
        nn.init.normal_(self.embedding.weight, std=std)
        self.places = nn.Parameter(std * torch.randn(length, sizes.width))
        self.blocks = nn.Sequential(*(_Block(sizes.width, sizes.heads) for _ in range(sizes.layers)))
        self.head = nn.Sequential(nn.LayerNorm(sizes.width), nn.Linear(sizes.width, characters))

    def forward(self, characters: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.embedding(characters) + self.places))
        return logits


class _Block(nn.Module):
    """One layer; smooth, for at the kink of a ReLU the last bits decide, and Adam makes much of that."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width), _Attention(width, heads))
        wide = 4 * width
        self.perceptron = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, wide), nn.GELU(), nn.Linear(wide, width))

    def forward(self, h: Tensor) -> Tensor:
        h = h + self.attention(h)
        after: Tensor = h + self.perceptron(h)
        return after


class _Attention(nn.Module):
    """Written out: torch's fused attention would go through stacked rows one by one, and warn of it.

    A bias of the keys would change nothing, so that its gradient is nothing but rounding, which Adam blows up.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        batch, length, width = h.shape
        q, k, v = self.qkv(h).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        to_come = h.new_full((length, length), -inf).triu(1)
        scores = (q * (width // self.heads) ** -0.5) @ k.transpose(-1, -2) + to_come
        mixed = scores.softmax(-1) @ v
        attended: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return attended
