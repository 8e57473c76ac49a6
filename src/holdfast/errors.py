"""The errors that a user can meet: wrong input, and a failure inside a named stage of a round."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

__all__ = ["HoldfastError", "InputError", "nearest", "stage"]


class HoldfastError(Exception):
    """The root of every error that Holdfast raises on purpose."""


class InputError(HoldfastError):
    """Input that the user can mend: one paragraph naming the field, the requirement, the value and the remedy.

    Args:
        field: dotted path of the field or the name of the flag or file that is wrong.
        required: what is required of it, as the end of the sentence "it must …".
        given: the value that was given.
        remedy: what to do about it, as a sentence.

    Example:
        >>> print(InputError("rounds", "be at least 1", 0, "Set rounds: 10, say."))
        rounds must be at least 1, but 0 was given. Set rounds: 10, say.
    """

    def __init__(self, field: str, required: str, given: object, remedy: str) -> None:
        self.field, self.required, self.given, self.remedy = field, required, given, remedy
        super().__init__(field, required, given, remedy)

    def __str__(self) -> str:
        given = repr(self.given)
        shown = given if len(given) <= 160 else given[:157] + "..."
        return f"{self.field} must {self.required}, but {shown} was given. {self.remedy}"

    def within(self, parent: str | None) -> InputError:
        """The same error with its field named from one level further out.

        Example:
            >>> InputError("f", "be at least 0", -1, "Use f: 1.").within("aggregator").field
            'aggregator.f'
        """
        if not parent:
            return self
        field = f"{parent}.{self.field}" if self.field else parent
        return InputError(field, self.required, self.given, self.remedy)


def nearest(word: str, known: Iterable[str]) -> str:
    """The remedy for a misspelt word: the nearest known one, and the rest of them.

    Example:
        >>> nearest("trimed_mean", ["median", "trimmed_mean"])
        "Did you mean 'trimmed_mean'? Known: median, trimmed_mean."
    """
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}Known: {', '.join(known)}."


@contextmanager
def stage(name: str, round: int, nodes: Collection[Any] | NDArray[Any]) -> Iterator[None]:
    """Say in which stage, round and nodes an unexpected exception rose, and let it rise.

    Example:
        >>> try:
        ...     with stage("local work", round=3, nodes=[7]):
        ...         raise ValueError("bad shape")
        ... except ValueError as error:
        ...     error.__notes__
        ['In round 3, stage "local work", node 7.']
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if len(nodes) == 1:
            who = f"node {next(iter(nodes))}"
        else:
            who = f"{len(nodes)} nodes together (the debug runtime names the one: --runtime debug)"
        error.add_note(f'In round {round}, stage "{name}", {who}.')
        raise
