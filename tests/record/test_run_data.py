from pathlib import Path

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.record.run_data import HEADER, load_run


def write(directory: Path, *rows: str, end: str = "\n") -> Path:
    (directory / "metrics.csv").write_text("\n".join([HEADER, *rows]) + end)
    return directory


def test_series_are_sorted_and_the_later_of_two_values_counts(tmp_path: Path) -> None:
    run = load_run(write(tmp_path, "v,2,,m,2.0", "v,1,,m,1.0", "v,2,,m,3.0"))
    series = run.series("v", "m")
    assert series is not None
    assert series.rounds.tolist() == [1, 2]
    assert series.values.tolist() == [1.0, 3.0]


def test_node_rows_by_round(tmp_path: Path) -> None:
    run = load_run(write(tmp_path, "v,1,0,m,1.0", "v,1,5,m,2.0", "v,3,5,m,nan"))
    series = run.per_node("v", "m")
    assert series is not None
    round, values = next(series.without([0]).by_round())
    assert (round, values.tolist()) == (1, [2.0])
    last, nodes, values = series.last()
    assert (last, nodes.tolist()) == (3, [5])
    assert np.isnan(values).all()
    assert run.series("v", "m") is None


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "v,1,,m,1.25", "v,2,,m,1.2", end="")
    (tmp_path / "events.jsonl").write_text('{"variant": "v", "round": 1, "kind": "crash", "node": 3}\n{"vari')
    run = load_run(tmp_path)
    assert run.total("v", "m") == 1.25
    assert [(event.kind, event.node) for event in run.events] == [("crash", 3)]


def test_an_empty_file_is_a_run_without_variants(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("")
    assert load_run(tmp_path).variants == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metrics.csv", f"{HEADER}\nv,1,,m,much\n"),
        ("metrics.csv", f"{HEADER}\nv,1,m,0.5\n"),
        ("events.jsonl", "[1, 2]\n"),
        ("events.jsonl", '{"variant": "v"}\n'),
        ("summary.json", "{"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=rf"{name}, line \d+, must be as Holdfast wrote it"):
        load_run(tmp_path)


def test_a_directory_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"directory must hold a run, with metrics\.csv in it"):
        load_run(tmp_path)
