from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from holdfast.record.evalfile import eval_file, eval_line

from ..contract import PROPERTY


def test_each_variant_has_a_file_in_the_folder_whatever_its_name() -> None:
    assert eval_file("trimmed_mean") == "eval/trimmed_mean"
    odd = [eval_file(name) for name in ("../a", "a b", "a/b", "..")]
    assert len(set(odd)) == 4
    assert all(name.startswith("eval/") and "/" not in name[5:] and name[5:] not in (".", "..") for name in odd)


@PROPERTY
@given(
    st.floats(0, 1e10),
    st.integers(0, 10**6),
    st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.floats()),
)
def test_a_line_reads_back_exactly(now: float, round: int, metrics: dict[str, float]) -> None:
    line = eval_line(now, round, metrics)
    assert line.endswith("\n")
    time, step, *rest = line.removesuffix("\n").split("\t")
    found = {name: float(value) for name, value in (part.split(":") for part in rest)}
    assert (float(time), int(step)) == (now, round)
    assert found.keys() == metrics.keys()
    assert all(found[n] == v or (math.isnan(found[n]) and math.isnan(v)) for n, v in metrics.items())
