"""The evaluations of a variant, one a line, as AggregaThor writes them: ``eval/<variant>``.

A line holds, between tabs, the wall time in seconds since 1970, the rounds done, and ``name:value`` for each metric of
the whole run. Values are as in ``metrics.csv``; what that file does not know, and this one does, is the time.
"""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.record.files import safe_name

__all__ = ["eval_file", "eval_line"]


def eval_file(variant: str) -> str:
    """The name of a variant's file in the run directory.

    Example:
        >>> eval_file("main")
        'eval/main'
    """
    return f"eval/{safe_name(variant)}"


def eval_line(now: float, round: int, metrics: Mapping[str, float]) -> str:
    r"""A line of the file, with its end.

    Args:
        now: the wall time, in seconds since 1970.
        round: the rounds done.
        metrics: by name, the metrics of the whole run.

    Example:
        >>> eval_line(1700000000.5, 100, {"test_accuracy": 0.9, "test_loss": 0.25})
        '1700000000.5\t100\ttest_accuracy:0.9\ttest_loss:0.25\n'

    Source: the ``evaluation-file`` of AggregaThor's published runner.
    """
    return "\t".join([f"{now!r}", f"{round}", *(f"{name}:{value!r}" for name, value in metrics.items())]) + "\n"
