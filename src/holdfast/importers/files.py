"""What importers hand over, and the file that is made of it."""

from __future__ import annotations

import textwrap
from typing import Any, NamedTuple

import yaml

__all__ = ["Fields", "Imported", "as_file"]

Fields = dict[str, Any]

WIDTH = 118
"""How many characters a line of a comment has, besides its mark."""


class Imported(NamedTuple):
    """The fields of an experiment file, and what to know about arguments that have no place in it."""

    fields: Fields
    notes: list[str]


def as_file(found: Imported) -> str:
    """The file, with the notes as comments above the fields.

    Example:
        >>> print(as_file(Imported({"rounds": 3}, ["shuffle: always."])), end="")
        # shuffle: always.
        rounds: 3
    """
    lines = [line for note in found.notes for line in textwrap.wrap(note, WIDTH, break_on_hyphens=False)]
    comments = "".join(f"# {line}\n" for line in lines)
    return comments + yaml.safe_dump(found.fields, sort_keys=False, allow_unicode=True)
