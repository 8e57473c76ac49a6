from pathlib import Path

from holdfast.record.costs import cost_tables
from holdfast.record.recorder import Recorder
from holdfast.record.run_data import load_run

from .synthetic import write_run, write_two


def test_a_row_tells_the_total_its_factor_and_what_the_targets_took(tmp_path: Path) -> None:
    (table,) = cost_tables(write_two(tmp_path))
    assert table["targets"] == [("72.0%", "90%"), ("76.0%", "95%"), ("79.2%", "99%")]
    assert [row["on_front"] for row in table["rows"]] == [True, True, False]
    absent = ("\N{EN DASH}", [])
    thrifty, lavish, _ = (row["cells"] for row in table["rows"])
    assert thrifty == [
        ("20 B", ["3 times less", "10 B up, 10 B down"]), ("2", []), ("40.0%", []), absent, absent, absent,
    ]  # fmt: skip
    assert lavish == [("60 B", ["30 B up, 30 B down"]), ("2", []), ("80.0%", []), *[("30 B", [])] * 3]


def test_a_best_value_that_is_not_the_last_is_told(tmp_path: Path) -> None:
    with Recorder(tmp_path, "v") as recorder:
        for round, accuracy in enumerate((0.1, 0.7, 0.6), 1):
            recorder.metric(round, "test_accuracy", accuracy)
            recorder.metric(round, "virtual_seconds", 100.0 * round)
    (table,) = cost_tables(load_run(tmp_path))
    cells = table["rows"][0]["cells"]
    assert table["heading"] == "What it cost: virtual time"
    assert cells[:3] == [("5 min 0 s", []), ("3", []), ("60.0%", ["best 70.0%"])]
    assert cells[3:] == [("3 min 20 s", [])] * 3
    assert not table["rows"][0]["on_front"], "alone, there is nothing to choose"
    assert "Pareto" not in table["words"]


def test_a_variant_that_diverged_or_was_never_measured_has_a_row(tmp_path: Path) -> None:
    write_run(tmp_path)
    with Recorder(tmp_path, "empty") as recorder:
        recorder.metric(1, "speakers", 0)
    (table,) = cost_tables(load_run(tmp_path))
    cells = table["rows"][2]["cells"]
    assert [text for text, _ in cells] == ["\N{EN DASH}", "1", *["\N{EN DASH}"] * 4]


def test_a_run_without_quality_or_cost_has_no_table(tmp_path: Path) -> None:
    with Recorder(tmp_path, "v") as recorder:
        recorder.metric(1, "bytes_up", 5)
    assert cost_tables(load_run(tmp_path)) == []
