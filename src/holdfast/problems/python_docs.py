"""Text that installs with Python: the next character of its documentation."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from sysconfig import get_path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from holdfast.catalogue import Choice
from holdfast.errors import InputError
from holdfast.models.base import Model
from holdfast.models.char_transformer import CharTransformer
from holdfast.problems.base import Problem, Task, accuracy, cross_entropy
from holdfast.seeding import generator

__all__ = ["PythonDocs", "accuracy_of_text", "cross_entropy_of_text", "encode"]

ALPHABET = "".join(map(chr, range(32, 127))) + "\n"
"""The characters that have a number each; all others share the next one."""

_LEAST = 20_000
"""Characters that give two blocks at any length."""
_BLOCK = 16
"""Windows that follow one another are held out together, so that few of the held-out ones touch the others."""
_LEFT_OUT = {"idlelib", "test", "tests"}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class PythonDocs(Problem):
    """The next character of the documentation that installs with Python: the docstrings of its standard library.

    loss = -1/length Σ_t log p(c_{t+1} | c_1 … c_t), in nats a character

    The docstrings are read from the source files, of which none is imported, in the order of their paths, each text
    once, until there are `characters` of them; tests and IDLE are left out. They are cut to windows, one after another:
    the inputs are (S, length), int64, the numbers 0..95 of the printable characters of ASCII and the line feed and 96
    for any other; the targets are the same, one character further on. A model predicts at every place of a window from
    that place and those before it.

    Held out for testing are blocks of 16 windows; which ones depends on nothing but the amount of text and
    `test_fraction`. There are no classes: partitions by class sort the windows by their mean number.

    Versions of Python, and makers of its packages, differ a little in what the standard library holds, and so do the
    windows and the losses: compare runs under one Python, and run all the nodes of an experiment under it.

    Raises:
        InputError: a field is out of bounds, or this Python has no source files of its standard library.

    Example:
        >>> task = PythonDocs(characters=20_000, length=100).load()
        >>> tuple(task.train[0].shape), tuple(task.test[0].shape)
        ((183, 100), (16, 100))
        >>> bool((task.train[0][:, 1:] == task.train[1][:, :-1]).all())
        True

    Source: the Python Software Foundation, "The Python Standard Library"; next-character prediction as in Karpathy,
    "The unreasonable effectiveness of recurrent neural networks", 2015.
    """

    model: Annotated[Model, Choice(Model)] = Field(CharTransformer(), description="the network to train, a model")
    characters: int = Field(1_000_000, ge=_LEAST, description="how much text is read at most, in characters")
    length: int = Field(64, ge=1, le=512, description="how long a window is, in characters")
    test_fraction: float = Field(
        0.1, ge=0.001, le=0.999, description="how much is held out for testing, as a fraction of the text"
    )

    def load(self, data_dir: Path | None = None) -> Task:
        """The task, with its data in memory; the data folder is not needed."""
        codes = encode(_documentation(Path(get_path("stdlib")), self.characters))
        count = (len(codes) - 1) // self.length
        inputs, targets = (codes[first : first + count * self.length].view(count, -1) for first in (0, 1))
        held_out_S = self._held_out(count)
        return Task(
            model=partial(self.model.build, (self.length,), len(ALPHABET) + 1),
            train=(inputs[~held_out_S], targets[~held_out_S]),
            test=(inputs[held_out_S], targets[held_out_S]),
            loss=cross_entropy_of_text,
            metrics={"accuracy": accuracy_of_text},
        )

    def _held_out(self, windows: int) -> Tensor:
        """(S,) whether each window is held out: whole blocks are, at least one, and at least one is not."""
        block_S = torch.arange(windows) // _BLOCK
        order = torch.randperm(int(block_S[-1]) + 1, generator=generator(0, "problem.python_docs"))
        count = min(max(round(self.test_fraction * len(order)), 1), len(order) - 1)
        return torch.isin(block_S, order[:count])


def encode(text: str) -> Tensor:
    r"""(characters,) int64: the place of each in the alphabet; one past its end for what is not in it.

    Example:
        >>> encode(" !~\né").tolist()
        [0, 1, 94, 95, 96]
    """
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)
    codes = np.where((points >= 32) & (points < 127), points - 32, np.where(points == 10, 95, 96))
    return torch.from_numpy(codes)


def cross_entropy_of_text(outputs: Tensor, targets: Tensor) -> Tensor:
    """(B,) the mean cross-entropy of the characters of each window, in nats a character.

    Args:
        outputs: (B, length, characters) logits.
        targets: (B, length).

    Example:
        >>> cross_entropy_of_text(torch.zeros(1, 3, 2), torch.tensor([[0, 1, 1]])).round(decimals=4)
        tensor([0.6931])
    """
    return cross_entropy(outputs.transpose(1, 2), targets).mean(1)


def accuracy_of_text(outputs: Tensor, targets: Tensor) -> Tensor:
    """(B,) the share of the characters of each window that have the greatest logit.

    Example:
        >>> accuracy_of_text(torch.tensor([[[0.0, 1.0], [2.0, 1.0]]]), torch.tensor([[1, 1]]))
        tensor([0.5000])
    """
    return accuracy(outputs, targets).mean(1)


def _documentation(library: Path, characters: int) -> str:
    """The first so many characters of the docstrings of all modules, each text once, with an empty line between."""
    texts: dict[str, None] = {}
    length = 0
    for path in _sources(library):
        new = dict.fromkeys(text for text in _docstrings(path) if text not in texts)
        texts |= new
        length += sum(len(text) + 2 for text in new)
        if length >= characters + 2:  # there is no empty line after the last
            break
    if length < _LEAST:
        remedy = "Use a Python that comes with the source files of its standard library."
        raise InputError("problem", f"find {_LEAST} characters of Python's docstrings", length, remedy)
    return "\n\n".join(texts)[:characters]


def _sources(library: Path) -> Iterator[Path]:
    """The source files of the standard library; what is installed beside it is in folders that no import can name."""
    for folder, folders, files in os.walk(library):
        folders[:] = sorted(name for name in folders if name.isidentifier() and name not in _LEFT_OUT)
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


def _docstrings(path: Path) -> list[str]:
    """What the file says of itself, its classes and its functions; nothing if this Python cannot read it."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    texts = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, _DOCUMENTED))
    return [text for text in texts if text]
