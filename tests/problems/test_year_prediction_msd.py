import hashlib
import statistics
import zipfile

import pytest
import torch

from holdfast.errors import InputError
from holdfast.problems import YearPredictionMsd, year_prediction_msd
from holdfast.problems.files import Source

NAME = "YearPredictionMSD.txt"


def row(year, first, second):
    """A row of which two features vary."""
    return ",".join(map(str, [year, first, second, *[7.5] * 88]))


TRAIN = [row(1990, 1.0, 100.0), row(2000, 3.0, 300.0), row(2010, 8.0, 200.0)]
TEST = [row(2000, 4.0, 200.0), row(1980, 0.0, 500.0)]


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(year_prediction_msd, "_TRAIN", 3)
    monkeypatch.setattr(year_prediction_msd, "_TEST", 2)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "year-prediction-msd").mkdir()
    write(tmp_path, [*TRAIN, *TEST])
    return tmp_path


def write(folder, lines):
    (folder / "year-prediction-msd" / NAME).write_text("".join(line + "\n" for line in lines))


def standard(value, values):
    return (value - statistics.mean(values)) / statistics.pstdev(values)


def test_rows_are_standardised_by_the_training_rows(folder):
    task = YearPredictionMsd().load(folder)
    years, first, second = [1990, 2000, 2010], [1, 3, 8], [100, 300, 200]
    for part, rows in (
        (task.train, zip(years, first, second, strict=True)),
        (task.test, [(2000, 4, 200), (1980, 0, 500)]),
    ):
        for inputs, target, (year, one, two) in zip(*part, rows, strict=True):
            assert target.tolist() == pytest.approx([standard(year, years)], abs=1e-6)
            assert inputs[:2].tolist() == pytest.approx([standard(one, first), standard(two, second)], abs=1e-6)
            assert inputs[2:].tolist() == [0] * 88, "features that do not vary are left at 0"
    assert task.train[0].dtype == task.train[1].dtype == torch.float32
    assert task.train[0].is_contiguous()


def test_the_task_is_a_regression(folder):
    task = YearPredictionMsd().load(folder)
    outputs = task.model()(task.test[0])
    assert outputs.shape == task.test[1].shape == (2, 1)
    assert task.classes is None
    loss = (outputs - task.test[1]).square().squeeze(1)
    torch.testing.assert_close(task.loss(outputs, task.test[1]), loss)
    torch.testing.assert_close(task.metrics["r2"](outputs, task.test[1]), 1 - loss)


def test_fewer_training_rows_leave_the_test_rows(folder):
    task = YearPredictionMsd(rows=2).load(folder)
    assert (len(task.train[0]), len(task.test[0])) == (2, 2)
    assert task.train[1].flatten().tolist() == [-1, 1]
    assert task.test[1].flatten().tolist() == [1, -3]  # 2000 and 1980, of 1995 ± 5
    assert YearPredictionMsd(rows=1).load(folder).train[1].tolist() == [[0]]


@pytest.mark.parametrize("rows", [0, 463_716, 1.5])
def test_rows_that_do_not_exist_are_refused(rows):
    with pytest.raises(InputError, match="rows must"):
        YearPredictionMsd(rows=rows)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([], "have 5 lines, but 0"),
        (TRAIN, "have 5 lines, but 3"),
        ([*TRAIN, *TEST, *TEST], "have 5 lines, but 7"),
        ([*TRAIN, TEST[0], TEST[1] + ",1"], "table of numbers"),
        ([*TRAIN, *[line + ",1" for line in TEST]], "91 numbers in every line, but '92"),
        ([*TRAIN, TEST[0], ""], "table of numbers"),
        ([*TRAIN, "", ""], "table of numbers"),
        ([*TRAIN, TEST[0], TEST[1].replace("500.0", "x")], "table of numbers"),
        ([*TRAIN, TEST[0], TEST[1].replace("500.0", "nan")], "finite numbers"),
        (["é", *TRAIN[1:], *TEST], "table of numbers"),
    ],
)
def test_damaged_files_are_refused_by_name(folder, lines, complaint):
    write(folder, lines)
    with pytest.raises(InputError, match=rf"{NAME} must .*{complaint}"):
        YearPredictionMsd().load(folder)


def test_a_file_that_is_far_too_large_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(year_prediction_msd, "_MOST_BYTES", 100)
    with pytest.raises(InputError, match="at most 100 bytes"):
        YearPredictionMsd().load(folder)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"year-prediction-msd/YearPredictionMSD\.txt must be in the data folder"):
        YearPredictionMsd().load(tmp_path)


def test_a_download_is_unpacked(folder, site, cache, no_data, monkeypatch):
    served, address = site
    content = (folder / "year-prediction-msd" / NAME).read_bytes()
    with zipfile.ZipFile(served / "year.zip", "w") as archive:
        archive.writestr(NAME, content)
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(YearPredictionMsd, "source", Source(address + "year.zip", digest, member=NAME))
    assert len(YearPredictionMsd(download=True).load().train[0]) == 3
    assert (cache / "year-prediction-msd" / NAME).read_bytes() == content


def test_two_nodes_learn_from_it(folder):
    from holdfast.experiment import Experiment
    from holdfast.prepare import Preparer

    fields = {"algorithm": "fedavg", "problem": YearPredictionMsd(), "nodes": 2, "engine": "sequential"}
    run = Preparer(folder).prepare(Experiment(**fields))
    assert run.metrics == ("test_r2", "test_loss", "local_r2", "local_loss", "personal_r2", "personal_loss")
    x_KD, losses_K = run.cohort(run.everyone, 1).gradient(run.parts.initial_D.expand(2, -1).clone())
    assert x_KD.shape == (2, 91)
    assert losses_K.isfinite().all()
