"""Plots: round ticks, figures in their places, gaps for what cannot be drawn, text that stays text."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest

from edgekit.html.svg import (
    Bars,
    Bin,
    Line,
    Points,
    Rule,
    bar_chart,
    histogram_chart,
    line_chart,
    scatter_chart,
)

NAN = math.nan


def parse(svg: str) -> ET.Element:
    root = ET.fromstring(svg)
    assert root.tag == "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    return root


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter("text")]


def places(element: ET.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", element.get("d", ""))]


def test_a_line_runs_through_its_values_and_a_band_encloses_it() -> None:
    line = Line("mean", [0, 1, 2], [1, 2, 3], low=[0.5, 1, 2], high=[1.5, 3, 4])
    root = parse(line_chart([line], title="KL", x_label="position", y_label="nats", band_name="95% interval"))
    (drawn,) = [p for p in of_class(root, "line") if len(places(p)) == 3]
    (x0, y0), (x1, y1), (x2, y2) = places(drawn)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11) and y0 > y2  # SVG counts downwards
    band = max(of_class(root, "band"), key=lambda path: len(places(path)))
    assert len(places(band)) == 6
    assert {"KL", "position", "nats", "95% interval"} <= set(texts(root))


def test_everything_lies_inside_the_picture() -> None:
    line = Line("a", [0, 500, 4096], [-3, 0.2, 9], low=[-4, 0, 8], high=[-2, 0.4, 10])
    for svg in (
        line_chart([line], title="t", x_label="x", y_label="y", rules=[Rule(12, "gate")]),
        scatter_chart(
            [Points("p", [-9, 0], [-8, -1])], title="t", x_label="x", y_label="y", diagonal="equal"
        ),
    ):
        root = parse(svg)
        _, _, width, height = map(float, root.get("viewBox", "").split())
        for element in root.iter("path"):
            if element.get("transform") is None:
                assert all(0 <= x <= width and 0 <= y <= height for x, y in places(element))


def test_a_line_has_a_gap_where_a_value_is_not_finite() -> None:
    line = Line(
        "a", [0, 1, 2, 3, 4], [1, 2, NAN, math.inf, 3], low=[0, 1, NAN, 0, 2], high=[2, 3, NAN, math.inf, 4]
    )
    svg = line_chart([line], title="t", x_label="x", y_label="y")
    (drawn,) = of_class(parse(svg), "line")
    assert re.sub(r"[^MLz]", "", drawn.get("d", "")) == "MLM"
    assert "nan" not in svg and "inf" not in svg


def test_several_lines_differ_in_shape_and_are_named() -> None:
    lines = [Line(f"kind {n}", [0, 1], [n, n + 1]) for n in range(7)]
    root = parse(line_chart(lines, title="t", x_label="x", y_label="y", marks=True))
    shapes = {mark.get("d") for mark in of_class(root, "mark")}
    assert len(shapes) == 7
    assert {line.name for line in lines} <= set(texts(root))


def test_bars_stand_on_zero_and_are_as_high_as_their_values() -> None:
    bars = [Bars("reference", [2, 4]), Bars("bundle", [-1, NAN], low=[-2, NAN], high=[0, NAN])]
    root = parse(bar_chart(["a", "b"], bars, title="t", y_label="y"))
    rects = [rect for rect in root.iter("rect") if "bar" in rect.get("class", "")]
    assert len(rects) == 3
    heights = [float(rect.get("height", "")) for rect in rects]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)
    bottom = float(rects[0].get("y", "")) + heights[0]
    assert float(rects[2].get("y", "")) == pytest.approx(bottom, abs=0.2)
    assert len(of_class(root, "whisker")) == 1


def test_labels_of_many_groups_do_not_overlap() -> None:
    root = parse(bar_chart([f"label {n}" for n in range(40)], [Bars("", range(40))], title="t", y_label="y"))
    assert 2 < sum(text.startswith("label") for text in texts(root)) <= 14


def test_points_on_the_diagonal_lie_on_its_line() -> None:
    cloud = Points("p", [-4, -1], [-4, -1])
    root = parse(scatter_chart([cloud], title="t", x_label="x", y_label="y", diagonal="equal"))
    (guide,) = of_class(root, "guide")
    (x0, y0), (x1, y1) = places(guide)
    (dots,) = of_class(root, "dots")
    for x, y in places(dots):
        assert y == pytest.approx(y0 + (x - x0) / (x1 - x0) * (y1 - y0), abs=0.2)


def test_thousands_of_points_stay_small() -> None:
    values = [-(n % 977) / 100 for n in range(20_000)]
    svg = scatter_chart([Points("p", values, values)], title="t", x_label="x", y_label="y")
    assert len(svg) < 30_000


def test_a_histogram_draws_each_count_and_closes_gaps() -> None:
    bins = [Bin(0, 1, 5), Bin(1, 2, 0), Bin(4, 8, 10)]
    root = parse(histogram_chart(bins, title="t", x_label="token", y_label="answers", whole=True))
    rects = list(root.iter("rect"))
    assert [title.text for title in root.iter("title")] == ["0: 5", "4 to 7: 10"]
    assert float(rects[1].get("height", "")) == pytest.approx(2 * float(rects[0].get("height", "")), abs=0.2)
    assert {"0", "1", "2", "4", "8"} <= set(texts(root))


def test_nothing_to_plot_says_so() -> None:
    for svg in (
        line_chart([], title="t", x_label="x", y_label="y"),
        line_chart([Line("a", [0], [NAN])], title="t", x_label="x", y_label="y"),
        bar_chart([], [], title="t", y_label="y"),
        scatter_chart([], title="t", x_label="x", y_label="y"),
        histogram_chart([], title="t", x_label="x", y_label="y"),
        histogram_chart([Bin(0, 1, 0)], title="t", x_label="x", y_label="y"),
    ):
        assert "nothing to plot" in texts(parse(svg))


def test_a_single_value_can_be_seen() -> None:
    assert of_class(parse(line_chart([Line("a", [3], [0.5])], title="t", x_label="x", y_label="y")), "mark")
    parse(scatter_chart([Points("p", [1], [1])], title="t", x_label="x", y_label="y"))


def test_text_stays_text() -> None:
    evil = "</text><script>\"'&\x00\ud800"
    line = Line(evil, [0, 1], [0, 1])
    root = parse(
        line_chart(
            [line, line], title=evil, x_label=evil, y_label=evil, description=evil, rules=[Rule(1, evil)]
        )
    )
    assert not list(root.iter("script"))
    assert texts(root).count(evil.replace("\x00", "␀").replace("\ud800", "\ufffd")) == 6
