import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from holdfast.record.recorder import Recorder
from holdfast.record.report import verdict, write_report
from holdfast.record.summary import summarise

from .synthetic import DIVERGED, EXPERIMENT, write_run, write_two

VOID = {"meta", "link", "img", "source", "br", "hr", "input"}


class Page(HTMLParser):
    """Checks that every tag is closed in its order; keeps the text and what is referred to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "action", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("run")
    write_run(directory, peers=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("holdfast.record.theme.DPI", 40)
        return write_report(directory).read_text(encoding="utf-8")


def test_the_page_is_balanced_and_refers_to_nothing_outside(html: str) -> None:
    page = Page(html)
    assert len(page.references) == 2 * page.tags.count("img") == 20
    assert all(reference.startswith("data:image/png;base64,") for reference in page.references)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?://", html)


def test_names_are_text_and_never_markup(html: str) -> None:
    assert "<script>alert" not in html
    assert "<b>bold" not in html
    text = Page(html).text
    assert DIVERGED in text
    assert "hard & <b>bold</b>" in text
    assert EXPERIMENT in text


def test_it_says_what_happened(html: str) -> None:
    text = Page(html).text
    for words in (
        "70.0%",
        "not finite",
        "diverged after 4 rounds",
        "2 nodes were Byzantine",
        "teapot",
        "14.4 kB",
        "stacked",
    ):
        assert words in text, words


def test_it_tells_what_quality_cost(tmp_path: Path) -> None:
    write_two(tmp_path)
    text = "".join(Page(write_report(tmp_path).read_text(encoding="utf-8")).text.split())
    for words in (
        "What it cost: bytes sent and received by all nodes",
        "lavish on the Pareto front 60 B 30 B up, 30 B down 2 80.0% 30 B 30 B 30 B",
        "thrifty on the Pareto front 20 B 3 times less 10 B up, 10 B down 2 40.0% – – –",
        "where no other was better for as little: thrifty and lavish.",
    ):
        assert words.replace(" ", "") in text, words


def test_it_suits_both_schemes_and_narrow_screens(html: str) -> None:
    assert html.count("prefers-color-scheme: dark") == 11  # the style sheet, and each picture
    assert 'name="viewport"' in html


def test_it_is_made_again_from_the_directory_alone(tmp_path: Path) -> None:
    with Recorder(tmp_path, "v") as recorder:
        recorder.metric(1, "test_accuracy", 0.5)
        recorder.event(1, "crash", node=0)
    summarise(tmp_path, {"name": "again"})
    first = write_report(tmp_path).read_bytes()
    assert write_report(tmp_path).read_bytes() == first


def test_a_killed_run_without_a_summary_has_a_report(tmp_path: Path) -> None:
    with Recorder(tmp_path, "v") as recorder:
        recorder.metric(0, "test_loss", 0.5)
    text = Page(write_report(tmp_path).read_text(encoding="utf-8")).text
    assert "v ends with a test loss of 0.5 after 0 rounds. v was interrupted after 0 rounds." in text


def test_an_empty_run_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("")
    assert "No variant was measured." in Page(write_report(tmp_path).read_text(encoding="utf-8")).text


def told(final: dict[str, float | None], status: str = "done", byzantine: tuple[int, ...] = ()) -> dict[str, Any]:
    return {"status": status, "rounds": 9, "final": final, "events": {}, "byzantine": list(byzantine)}


def test_the_verdict_of_a_regression_ranks_the_least_loss_first() -> None:
    variants = {
        "a": told({"test_loss": 0.5}),
        "b": told({"test_loss": 0.25}),
        "c": told({"test_loss": None}, "diverged"),
    }
    assert verdict({"variants": variants}) == (
        "b ends best, with a test loss of 0.25 after 9 rounds; a ends at 0.5. c diverged after 9 rounds. "
        "Nothing went wrong on the way."
    )


def test_the_verdict_of_many_variants_is_short() -> None:
    variants = {f"v{i}": told({"test_accuracy": i / 10}, byzantine=(1,) * (i % 2)) for i in range(8)}
    assert verdict({"variants": variants}) == (
        "v7 ends best, with a test accuracy of 70.0% after 9 rounds; the other 7 end between 0.0% (v0) and 60.0% (v6). "
        "One node was Byzantine in some of the variants. Nothing went wrong on the way."
    )


def test_the_verdict_when_nothing_is_finite() -> None:
    assert "No variant ends with a finite test loss." in verdict({"variants": {"a": told({"test_loss": None})}})
