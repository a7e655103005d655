"""Tables for people: numbers of a column with equally many digits, in 80 columns, no number broken."""

import re

import pytest
from rich.console import Console

from spikesim_cli import console


def printed(monkeypatch, capsys, columns, rows, width=80):
    monkeypatch.setattr(console, "results", Console(highlight=False, markup=False, emoji=False, width=width))
    console.print_table(columns, rows)
    return capsys.readouterr().out.splitlines()


def column(lines, place):
    return [line.split("│")[1 + place].strip() for line in lines if "│" in line]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([28.63125, 9.1, 30.0], ["28.63", "9.10", "30.00"]),
        ([0.98765, 0.9, 1.0], ["0.988", "0.900", "1.000"]),
        ([1.0, 2.0, 4.0], ["1", "2", "4"]),
        ([1.0, 2.5], ["1.0", "2.5"]),
        ([123456.7, 2.25], ["123457", "2"]),
        ([0.001234, 0.5], ["0.0012", "0.5000"]),
        ([-3.14159, 0.0], ["-3.142", "0.000"]),
        ([float("inf"), 2.5, float("nan")], ["inf", "2.5", "nan"]),
        ([0.0], ["0"]),
        ([3, 1000], ["3", "1000"]),
    ],
)
def test_digits_of_a_column_are_equal(monkeypatch, capsys, values, shown):
    assert column(printed(monkeypatch, capsys, ("x",), [(value,) for value in values]), 0) == shown


@pytest.mark.parametrize("metrics", [1, 3, 5])
def test_intervals_fit_and_stay_whole(monkeypatch, capsys, metrics):
    """As an evaluation shows them, of one metric to all five."""
    cells = [f"{28.61 + i:.2f} {27.31 + i:.2f}…{29.47 + i:.2f}" for i in range(metrics)]
    rows = [(v_th, "LDN", *cells) for v_th in ("1", "–")]
    lines = printed(monkeypatch, capsys, ("V_th", "method", *(["SSIM, standard"] * metrics)), rows)
    assert max(map(len, lines)) <= 80
    found = re.findall(r"\d+\.\d+", " ".join(lines))
    assert sorted(found) == sorted(re.findall(r"\d+\.\d+", " ".join(cells)) * 2)


def test_the_table_of_the_demo_fits(monkeypatch, capsys):
    columns = ("clip", "window", "V_th", "spikes a readout", "TFP-blur correlation", "TFP-sharp correlation")
    lines = printed(monkeypatch, capsys, columns, [("train/street", 1, 1.0, 0.41234, 0.99, 0.95123)])
    assert max(map(len, lines)) <= 80
    assert {"correlation", "readout", "window"} <= set(re.findall(r"[a-z]+", " ".join(lines)))
