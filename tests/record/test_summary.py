import json
from pathlib import Path

from holdfast.record.recorder import Recorder
from holdfast.record.run_data import load_run
from holdfast.record.summary import derive, summarise

from .synthetic import DIVERGED, ROBUST, write_run, write_two


def test_totals_finals_and_bests_by_hand(tmp_path: Path) -> None:
    summary = write_run(tmp_path)
    robust, diverged = summary["variants"][ROBUST], summary["variants"][DIVERGED]
    assert robust["rounds"] == 6
    assert robust["bytes_up"] == 6 * 6 * 400
    assert robust["bytes_down"] == 6 * 6 * 500
    assert robust["events"] == {"byzantine": 1, "lost": 6, "teapot": 1}
    assert robust["final"]["test_accuracy"] == 0.1 + 0.1 * 6
    assert robust["best"]["test_loss"] == {"value": 2.3 * 0.5**6, "round": 6}
    assert robust["best"]["test_accuracy"] == {"value": 0.1 + 0.1 * 6, "round": 6}
    assert diverged["final"]["test_loss"] is None
    assert diverged["best"]["test_loss"] == {"value": 2.3, "round": 0}
    assert diverged["status"] == "diverged"
    assert "bytes_up" not in robust["best"]


def test_the_file_holds_what_was_returned_in_strict_json(tmp_path: Path) -> None:
    summary = write_run(tmp_path, peers=True)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    assert json.loads((tmp_path / "summary.json").read_text(), parse_constant=refuse) == summary
    assert summary["class_counts"][1] == [3, 4, 5]
    assert summary["machine"]["cores"] >= 1
    assert not list(tmp_path.glob(".summary*"))


def test_a_killed_run_is_told_without_facts(tmp_path: Path) -> None:
    with Recorder(tmp_path, "v") as recorder:
        recorder.event(0, "byzantine", nodes=[3])
        recorder.metric(2, "test_loss", 0.5)
    told = derive(load_run(tmp_path), {})["variants"]["v"]
    assert (told["status"], told["rounds"], told["byzantine"]) == ("interrupted", 2, [3])


def test_a_variant_that_failed_before_its_first_round_is_in_the_summary(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("")
    summary = summarise(tmp_path, {"name": "x", "variants": {"v": {"status": "failed"}}})
    assert summary["variants"]["v"]["status"] == "failed"
    assert summary["variants"]["v"]["final"] == {}


def test_at_most_a_hundred_nodes_are_counted_by_class(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("")
    assert len(summarise(tmp_path, {"class_counts": [[1]] * 150})["class_counts"]) == 100


def test_it_tells_who_is_on_the_front_and_what_targets_took(tmp_path: Path) -> None:
    write_two(tmp_path)
    told = summarise(tmp_path, {})["tradeoff"]
    assert told["metric"] == "test_accuracy"
    assert told["targets"] == {"0.9": 0.9 * 0.8, "0.95": 0.95 * 0.8, "0.99": 0.99 * 0.8}
    assert told["front"] == {"bytes": ["thrifty", "lavish"]}
    assert told["cost_to_reach"]["bytes"]["lavish"] == {"0.9": 30, "0.95": 30, "0.99": 30}
    assert set(told["cost_to_reach"]["bytes"]["idle"].values()) == {None}


def test_where_nothing_was_measured_there_is_no_tradeoff(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("")
    assert summarise(tmp_path, {"name": "x"})["tradeoff"] is None


def test_the_spread_over_the_honest_nodes_at_the_end(tmp_path: Path) -> None:
    with Recorder(tmp_path, "v") as recorder:
        recorder.event(0, "byzantine", nodes=[2])
        for round in (0, 1):
            recorder.metrics(round, "test_loss", [0, 1, 2], [1.0, 3.0, 900.0])
            recorder.metrics(round, "bytes_up", [0, 1, 2], [1, 1, 1])
    assert summarise(tmp_path, {})["variants"]["v"]["nodes"] == {"test_loss": {"min": 1.0, "mean": 2.0, "max": 3.0}}
