import json
import math
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboardX.proto.event_pb2 import Event as TensorBoardEvent

from holdfast.errors import InputError
from holdfast.record.files import safe_name
from holdfast.record.recorder import Recorder, rewind
from holdfast.record.run_data import load_run

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
ENTRY = st.tuples(
    st.integers(0, 1000), NAMES, st.floats() | st.integers(-(2**53), 2**53), st.none() | st.integers(0, 10**6)
)


class NoScalars:
    """In place of TensorBoard's writer, whose thread would make a property test slow."""

    def __init__(self, *_: object) -> None: ...
    def add(self, *_: object) -> None: ...
    def write(self) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


@pytest.fixture
def _no_scalars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.record.recorder.Scalars", NoScalars)


def both(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in ("metrics.csv", "events.jsonl")}


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


@pytest.mark.usefixtures("_no_scalars")
@settings(max_examples=40, deadline=None)
@given(NAMES, st.lists(ENTRY, max_size=6, unique_by=lambda entry: (entry[0], entry[1], entry[3])))
def test_every_value_reads_back_exactly(variant: str, entries: list[tuple[int, str, float, int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Recorder(Path(folder), variant) as recorder:
            for round, name, value, node in entries:
                recorder.metric(round, name, value, node)
        run = load_run(Path(folder))
        for round, name, value, node in entries:
            assert same(look_up(run, variant, round, name, node), float(value))


def look_up(run: Any, variant: str, round: int, name: str, node: int | None) -> float:
    if node is None:
        series = run.series(variant, name)
        return float(series.values[series.rounds == round][0])
    series = run.per_node(variant, name)
    return float(series.values[(series.rounds == round) & (series.nodes == node)][0])


@pytest.mark.usefixtures("_no_scalars")
@settings(max_examples=30, deadline=None)
@given(st.lists(ENTRY, max_size=5), st.lists(ENTRY, max_size=5))
def test_rewinding_takes_back_exactly_what_came_after(
    before: list[tuple[int, str, float, int | None]], after: list[tuple[int, str, float, int | None]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        with Recorder(directory, "v") as recorder:
            write(recorder, before)
            position, kept = recorder.position(), both(directory)
            write(recorder, after)
        rewind(directory, position)
        assert both(directory) == kept
        with Recorder(directory, "v", purge_step=1) as recorder:
            write(recorder, after)
        assert all(now.startswith(kept[name]) for name, now in both(directory).items())


def write(recorder: Recorder, entries: list[tuple[int, str, float, int | None]]) -> None:
    for round, name, value, node in entries:
        recorder.metric(round, name, value, node)
        recorder.event(round, name, node)


def test_metrics_in_bulk_are_the_same_as_one_by_one(tmp_path: Path) -> None:
    values = np.array([0.1, 1 / 3, np.nan, np.inf])
    for folder in ("bulk", "single"):
        (tmp_path / folder).mkdir()
    with Recorder(tmp_path / "bulk", "v") as bulk, Recorder(tmp_path / "single", "v") as single:
        bulk.metrics(3, "local_loss", np.arange(4), values)
        for node, value in enumerate(values):
            single.metric(3, "local_loss", value, node)
    assert both(tmp_path / "bulk") == both(tmp_path / "single")


def test_numbers_are_written_as_plain_python_writes_them(tmp_path: Path) -> None:
    with Recorder(tmp_path, "v") as recorder:
        recorder.metric(np.int64(1), "bytes_up", np.int64(40))  # type: ignore[arg-type]
        recorder.metric(1, "test_loss", np.float64(0.1))
        recorder.metrics(1, "right", [0, 1], [True, False])
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    assert lines[1:] == ["v,1,,bytes_up,40", "v,1,,test_loss,0.1", "v,1,0,right,1", "v,1,1,right,0"]


def test_more_nodes_than_values_is_refused(tmp_path: Path) -> None:
    with Recorder(tmp_path, "v") as recorder, pytest.raises(ValueError, match="zip"):
        recorder.metrics(1, "local_loss", [0, 1], [0.5])


def test_an_event_keeps_its_details(tmp_path: Path) -> None:
    with Recorder(tmp_path, "v") as recorder:
        recorder.event(2, "skipped", node=np.int64(4), rows=np.int64(3), required=5, loss=math.nan)  # type: ignore[arg-type]
    line = (tmp_path / "events.jsonl").read_text()
    told = {"variant": "v", "round": 2, "kind": "skipped", "node": 4, "rows": 3, "required": 5, "loss": None}
    assert json.loads(line) == told


def test_after_a_flush_a_kill_loses_nothing(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "v")
    recorder.metric(1, "test_loss", 0.5)
    recorder.event(1, "crash", node=2)
    recorder.flush()
    run = load_run(tmp_path)  # another reader, while the recorder is still open
    assert run.total("v", "test_loss") == 0.5
    assert [event.kind for event in run.events] == ["crash"]
    recorder.close()
    recorder.close()


def test_the_tallies_are_told_from_the_files_after_a_resume(tmp_path: Path) -> None:
    for variant in ("v", "other"):
        with Recorder(tmp_path, variant) as recorder:
            recorder.metric(1, "bytes_up", 40)
            recorder.event(1, "lost", node=0)
    with Recorder(tmp_path, "v", purge_step=2) as recorder:
        recorder.metric(2, "bytes_up", 2)
        assert recorder.bytes_up == 42
        assert recorder.events == {"lost": 1}


def test_two_variants_share_one_header(tmp_path: Path) -> None:
    for variant in ("a", "b"):
        with Recorder(tmp_path, variant) as recorder:
            recorder.metric(0, "test_loss", 1.0)
    assert (tmp_path / "metrics.csv").read_text().count("variant,round,node,metric,value") == 1


def test_a_record_shorter_than_its_checkpoint_cannot_be_rewound(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("0123456789")
    (tmp_path / "events.jsonl").write_text("01234")
    with pytest.raises(InputError, match="hold at least 6 bytes"):
        rewind(tmp_path, {"metrics.csv": 3, "events.jsonl": 6})
    assert (tmp_path / "metrics.csv").read_text() == "0123456789"


def tensorboard_events(folder: Path) -> list[TensorBoardEvent]:
    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(TensorBoardEvent.FromString(data[12 : 12 + length]))
            data = data[12 + length + 4 :]
    return found


def test_tensorboard_has_the_metrics_of_the_whole_run_and_is_purged_on_resume(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Recorder(tmp_path, "a b/c") as recorder:
        recorder.metric(1, "test_loss", 0.5)
        recorder.summary()
        recorder.metric(2, "test_loss", math.nan)
        recorder.metric(2, "test_loss", 0.25, node=4)
        recorder.summary()
    (folder,) = (tmp_path / "tensorboard").iterdir()
    scalars = [(e.step, v.tag, v.simple_value) for e in tensorboard_events(folder) for v in e.summary.value]
    assert scalars[0] == (1, "test_loss", 0.5)
    assert math.isnan(scalars[1][2])
    assert len(scalars) == 2
    assert not caplog.records
    (folder / next(folder.iterdir()).name).unlink()
    with Recorder(tmp_path, "a b/c", purge_step=2):
        pass
    assert [e.step for e in tensorboard_events(folder) if e.HasField("session_log")] == [2]


def test_a_summary_holds_what_each_metric_was_last_and_nothing_twice(tmp_path: Path) -> None:
    with Recorder(tmp_path, "v") as recorder:
        for round, loss in ((1, 0.5), (2, 0.25)):
            recorder.metric(round, "test_loss", loss)
        recorder.metric(1, "test_accuracy", 0.75)
        recorder.summary()
        recorder.summary()
        recorder.metric(3, "test_loss", 0.125)
    events = tensorboard_events(tmp_path / "tensorboard" / "v")
    scalars = {(e.step, v.tag, v.simple_value) for e in events for v in e.summary.value}
    assert scalars == {(2, "test_loss", 0.25), (1, "test_accuracy", 0.75)}


def test_without_a_summary_there_is_nothing_for_tensorboard(tmp_path: Path) -> None:
    for purge_step in (None, 2):
        with Recorder(tmp_path, "v", purge_step) as recorder:
            recorder.metric(1, "test_loss", 0.5)
            recorder.position()
    assert not (tmp_path / "tensorboard").exists()


def test_evaluations_have_their_time_and_are_rewound(tmp_path: Path) -> None:
    times = iter([10.5, 11.0, 12.25])
    with Recorder(tmp_path, "v", clock=lambda: next(times)) as recorder:
        recorder.evaluation(0, {"test_loss": 0.5, "test_accuracy": 1 / 3})
        position = recorder.position()
        recorder.evaluation(1, {"test_loss": 0.25})
    rewind(tmp_path, position)
    with Recorder(tmp_path, "v", 1, clock=lambda: next(times)) as recorder:
        recorder.evaluation(1, {"test_loss": 0.125})
    first, second = (tmp_path / "eval" / "v").read_text().splitlines()
    assert first == f"10.5\t0\ttest_loss:0.5\ttest_accuracy:{1 / 3!r}"
    assert second == "12.25\t1\ttest_loss:0.125"


def test_a_fresh_variant_forgets_the_evaluations_of_a_killed_one(tmp_path: Path) -> None:
    for _ in range(2):
        with Recorder(tmp_path, "v") as recorder:
            recorder.evaluation(0, {})
    assert len((tmp_path / "eval" / "v").read_text().splitlines()) == 1


def test_arrays_lie_in_a_folder_under_the_variants_name_and_the_last_ones_count(tmp_path: Path) -> None:
    with Recorder(tmp_path, "a b") as recorder:
        recorder.arrays("maps/07", round=1, x=[[True, False]])
        recorder.arrays("maps/07", round=2, x=[[True, True]])
    [path] = (tmp_path / "maps" / "07").iterdir()
    assert path.name == f"{safe_name('a b')}.npz"
    with np.load(path, allow_pickle=False) as found:
        assert (int(found["round"]), found["x"].tolist(), found["x"].dtype) == (2, [[True, True]], np.bool_)
