from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from holdfast.record import page, pictures, plots
from holdfast.record.curves import _apart, curve
from holdfast.record.plots import write_plots
from holdfast.record.recorder import Recorder
from holdfast.record.run_data import Run, load_run
from holdfast.record.summary import summarise
from holdfast.record.theme import DARK, LIGHT, literal

from .synthetic import DIVERGED, ROBUST, write_run, write_two

CURVES = {"test_accuracy_by_round", "test_accuracy_by_bytes", "test_loss_by_round", "test_loss_by_bytes"}


def fill(directory: Path, write: Callable[[Recorder], None], *variants: str) -> Run:
    for variant in variants or ("v",):
        with Recorder(directory, variant) as recorder:
            write(recorder)
    return load_run(directory)


def names(run: Run) -> set[str]:
    return {plot.stem for plot in plots._plots(run)}


def test_every_picture_is_drawn_in_both_themes(tmp_path: Path) -> None:
    write_run(tmp_path, peers=True)
    before = dict(matplotlib.rcParams)
    paths = write_plots(tmp_path)
    assert dict(matplotlib.rcParams) == before
    more = {"consensus_error_by_round", "consensus_error_by_bytes", "graph"}
    assert {path.stem for path in paths} == CURVES | more | {"spread_over_nodes", "class_balance", "events"}
    for path in paths:
        light, dark = imread(path), imread(path.parent / "dark" / path.name)
        assert light.shape[0] > 100
        assert light.shape[1] > 200
        assert len(np.unique(light.reshape(-1, light.shape[2]), axis=0)) > 50  # more than an empty frame
        assert light[0, 0, 0] > 0.9 > 0.3 > dark[0, 0, 0]


def test_only_what_there_is_data_for(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("")
    assert write_plots(tmp_path) == []


def test_a_regression_has_no_accuracy(tmp_path: Path) -> None:
    def write(recorder: Recorder) -> None:
        for round in range(3):
            recorder.metric(round, "test_loss", -1.0 - round)
            recorder.metric(round, "test_r2/adjusted", 0.1 * round)

    stems = names(fill(tmp_path, write))
    assert "test_loss_by_round" in stems
    assert any(stem.startswith("test_r2-adjusted-") for stem in stems)
    assert all("/" not in stem and "accuracy" not in stem for stem in stems)


def test_one_node_has_no_spread(tmp_path: Path) -> None:
    run = fill(tmp_path, lambda recorder: recorder.metrics(1, "local_accuracy", [0], [0.5]))
    assert names(run) == set()


def test_a_metric_that_is_never_finite_is_not_drawn(tmp_path: Path) -> None:
    assert names(fill(tmp_path, lambda recorder: recorder.metric(1, "test_loss", np.nan))) == set()


@pytest.mark.parametrize("values", [[0.0, 0.0], [0.0, 1e-9, 1e6], [1e300, np.inf], [5.0], [-1e25, 1e25], [1e-300, 1.0]])
@pytest.mark.parametrize("against_bytes", [False, True])
def test_curves_survive_any_values(tmp_path: Path, values: list[float], against_bytes: bool) -> None:
    def write(recorder: Recorder) -> None:
        for round, value in enumerate(values, 1):
            recorder.metric(round, "test_loss", value)
            recorder.metric(round, "bytes_up", 10 ** (4 * round))

    run = fill(tmp_path, write, "_v")
    for plot in plots._plots(run):
        if plot.stem.endswith("bytes") == against_bytes:
            page.save(plot.draw(LIGHT), tmp_path / "out.png")


def test_a_diverging_line_leaves_the_others_readable(tmp_path: Path) -> None:
    with Recorder(tmp_path, "steady") as steady:
        steady.metric(0, "test_loss", 2.0)
        steady.metric(9, "test_loss", 0.2)
    with Recorder(tmp_path, "wild") as wild:
        for round in range(10):
            wild.metric(round, "test_loss", 2.0 * 10.0**round if round < 9 else np.nan)
    axes = curve(load_run(tmp_path), "test_loss", None, LIGHT).axes[0]
    assert axes.get_yscale() == "log"
    assert axes.get_ylim()[1] == pytest.approx(40.0)
    assert [text.get_text() for text in axes.texts] == ["steady", "wild \N{MULTIPLICATION SIGN}"]


def test_lines_over_bytes_are_cumulated(tmp_path: Path) -> None:
    def write(recorder: Recorder) -> None:
        recorder.metric(0, "test_loss", 3.0)
        for round in range(1, 5):
            recorder.metric(round, "bytes_up", 1000)
            recorder.metric(round, "bytes_down", 2000)
        recorder.metric(4, "test_loss", 1.0)

    axes = curve(fill(tmp_path, write), "test_loss", "bytes", LIGHT).axes[0]
    assert axes.lines[0].get_xdata().tolist() == [0.0, 12.0]  # type: ignore[union-attr]
    assert axes.get_xlabel() == "bytes sent and received by all nodes, in kB"


def test_the_front_is_a_staircase_in_the_colours_of_those_who_hold_it(tmp_path: Path) -> None:
    figure = curve(write_two(tmp_path), "test_accuracy", "bytes", LIGHT, with_front=True)
    axes = figure.axes[0]
    paths = [np.asarray(each.get_paths()[0].vertices).tolist() for each in axes.collections if each.get_zorder() == 1.5]
    assert paths == [[[10.0, 0.4], [30.0, 0.4]], [[30.0, 0.4], [30.0, 0.8], [60.0, 0.8]]]
    assert [text.get_fontweight() for text in axes.texts] == ["bold", "bold", "normal"]
    ends = [np.asarray(each.get_offsets())[0].tolist() for each in axes.collections if each.get_zorder() == 4]
    assert ends == [[20.0, 0.4], [60.0, 0.8], [60.0, 0.7]]


def test_costs_that_differ_by_decades_are_logarithmic_without_the_start(tmp_path: Path) -> None:
    def write(recorder: Recorder) -> None:
        for round in range(3):
            recorder.metric(round, "test_accuracy", 0.1 * round)
            recorder.metric(round, "bytes_up", 0 if round == 0 else int(recorder.variant))

    axes = curve(fill(tmp_path, write, "1", "1000"), "test_accuracy", "bytes", LIGHT, with_front=True).axes[0]
    assert axes.get_xscale() == "log"
    assert [line.get_xdata().tolist() for line in axes.lines] == [[1, 2], [1000, 2000]]  # type: ignore[union-attr]


def test_time_and_samples_are_drawn_where_they_were_recorded(tmp_path: Path) -> None:
    def write(recorder: Recorder) -> None:
        for round in range(3):
            recorder.metric(round, "test_loss", 1.0 - 0.1 * round)
            recorder.metric(round, "virtual_seconds", 90.0 * round)

    run = fill(tmp_path, write)
    assert names(run) == {"test_loss_by_round", "test_loss_by_virtual_seconds"}
    axes = curve(run, "test_loss", "virtual_seconds", LIGHT).axes[0]
    assert axes.lines[0].get_xdata().tolist() == [0.0, 1.5, 3.0]  # type: ignore[union-attr]
    assert axes.get_xlabel() == "virtual time, in minutes"


@pytest.mark.parametrize(("rounds", "half"), [(42, 0), (43, 10)])
def test_a_long_line_of_training_losses_is_a_moving_average(tmp_path: Path, rounds: int, half: int) -> None:
    losses = np.random.default_rng(0).random(rounds)

    def write(recorder: Recorder) -> None:
        for round, loss in enumerate(losses.tolist(), start=1):
            recorder.metric(round, "train_loss", loss)
            recorder.metric(round, "test_loss", loss)

    run = fill(tmp_path, write)
    drawn = {name: curve(run, name, None, LIGHT).axes[0].lines[0].get_ydata() for name in ("train_loss", "test_loss")}
    assert drawn["test_loss"] == pytest.approx(losses)
    middle = rounds // 2
    assert np.asarray(drawn["train_loss"])[middle] == pytest.approx(losses[middle - half : middle + half + 1].mean())
    captions = {plot.stem: plot.caption for plot in plots._plots(run)}
    assert ("averages over 21 rounds" in captions["train_loss_by_round"]) == (half > 0)
    assert "averages" not in captions["test_loss_by_round"]


def test_the_caption_names_who_is_on_the_front(tmp_path: Path) -> None:
    captions = {plot.stem: plot.caption for plot in plots._plots(write_two(tmp_path))}
    assert "with at most so much: thrifty and lavish." in captions["test_accuracy_by_bytes"]
    assert "Pareto" not in captions["test_accuracy_by_round"]


def test_the_band_leaves_out_byzantine_nodes(tmp_path: Path) -> None:
    def write(recorder: Recorder) -> None:
        recorder.event(0, "byzantine", nodes=[2])
        for round in (1, 2):
            recorder.metric(round, "test_accuracy", 0.5)
            recorder.metrics(round, "test_accuracy", [0, 1, 2], [0.4, 0.6, 0.0])

    axes = curve(fill(tmp_path, write), "test_accuracy", None, LIGHT).axes[0]
    corners = axes.collections[0].get_paths()[0].vertices
    assert np.asarray(corners)[:, 1].min() == pytest.approx(0.42)


def test_a_variant_has_one_colour_in_all_pictures(tmp_path: Path) -> None:
    write_run(tmp_path)
    run = load_run(tmp_path)
    assert run.variants == (ROBUST, DIVERGED)
    for theme in (LIGHT, DARK):
        lines = curve(run, "test_loss", None, theme).axes[0].lines
        dots = [axes.collections[0] for axes in pictures.event_strip(run, theme).axes]
        for index in range(2):
            assert lines[index].get_color() == theme.colour(index)
            assert matplotlib.colors.to_hex(dots[index].get_facecolor()[0]) == theme.colour(index)


def test_many_variants_get_a_legend_and_differ(tmp_path: Path) -> None:
    variants = [f"_variant {i}" for i in range(20)]
    run = fill(tmp_path, lambda recorder: recorder.metric(1, "test_accuracy", 0.5), *variants)
    axes = curve(run, "test_accuracy", None, LIGHT).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == variants
    assert len({(line.get_color(), str(LIGHT.line_style(i))) for i, line in enumerate(axes.lines)}) == 20


def test_a_thousand_nodes_and_many_classes(tmp_path: Path) -> None:
    def write(recorder: Recorder) -> None:
        recorder.metrics(1, "local_accuracy", np.arange(1000), np.linspace(0, 1, 1000))
        for round in range(0, 1000, 3):
            recorder.event(round, "lost", node=round)

    fill(tmp_path, write)
    graph = {"variants": ["main"], "nodes": 1000, "directed": False, "changes": False, "frames": []}
    summarise(tmp_path, {"class_counts": np.ones((1000, 62)), "graphs": [graph]})
    assert {path.stem for path in write_plots(tmp_path)} == {"spread_over_nodes", "class_balance", "events"}


def test_labels_are_pushed_apart_and_stay_in_order() -> None:
    placed = _apart(np.array([0.99, 0.0, 1.0, 0.98]), 0.1)
    assert placed == pytest.approx([0.9, 0.0, 1.0, 0.8])


def test_no_name_is_taken_for_mathematics_or_for_a_missing_glyph(tmp_path: Path) -> None:
    assert literal("a\n$b$") == r"a \$b\$"
    run = fill(tmp_path, lambda recorder: recorder.metric(1, "test_accuracy", 0.5), r"$\frac{$", "漢字 🤖")
    page.save(curve(run, "test_accuracy", None, LIGHT), tmp_path / "out.png")
