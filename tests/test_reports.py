"""Reports: what they say is what other commands say, and whatever they are of, the page is whole."""

import base64
import html.parser
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import Run, assert_refused, run  # noqa: F401
from report_data import reported, spoiled_stream, write_run  # noqa: F401

from spikesim import SpikeCamera, SpikeStream, outlying_pixels, read_spikes
from spikesim.noise import GainPattern
from spikesim_datasets.optics import Optics
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_report.camera_noise import light_spread
from spikesim_report.dataset_figures import MeasuredSample, worries
from spikesim_report.page_file import MOST_BYTES, Page, html_of
from spikesim_report.parts import Listing, Notes, Section
from spikesim_report.sample_figures import LIGHTS, LONGEST, StreamFigures, motion, stream_figures
from spikesim_report.shown_images import shown_images
from ssdm_models.training.log import Log

EMPTY = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
DRAWN = {"path", "use", "rect", "circle", "line", "image"}


class Whole(html.parser.HTMLParser):
    """Whether elements end in the order in which they began, and which names there are twice."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.names += [name for name in [found.get("id")] if name and tag not in ("clippath", "path", "defs")]
        self.addresses += [value for key in ("src", "href", "xlink:href") if (value := found.get(key))]
        if tag == "img":
            assert found.get("alt")
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in EMPTY:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def assert_whole(path: Path) -> str:
    """The text of a report that is a whole page, small, and asks for nothing from elsewhere."""
    text = path.read_text("utf-8")
    assert len(text.encode()) < MOST_BYTES
    page = Whole(text)
    assert page.open == []
    assert len(page.names) == len({*page.names})
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    return text


def record_of(text: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="record">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    record: dict[str, object] = json.loads(found[1])
    return record


def test_a_dataset(run: Run, reported: Path, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "data.html"
    assert run("report", reported / "data", "--out", out).code == 0
    text = assert_whole(out)
    assert record_of(text) == run("info", reported / "data", "--json").json
    for words in (
        "train/waves",
        "test/ripples",
        "sharp at 68",
        "deblurred, V_th 2",
        "V_th 1, ideal",
        "V_th 2, realistic",
        "TFP of the exposure, V_th 2",
    ):
        assert words in text
    # The streams of the page are those of the dataset.
    streams = re.findall(r'<script type="text/plain" class="stream" ([^>]*)>([^<]*)</script>', text)
    sample = open_dataset(reported / "data", "train")[0]
    shown = {zlib.decompress(base64.b64decode(data)) for _, data in streams}
    assert {stream.packed.tobytes() for stream in sample.spikes.values()} <= shown or len(shown) == 2


def test_a_spike_file(run: Run, reported: Path, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "spikes.html"
    assert run("report", reported / "spikes.npz", "--out", out).code == 0
    text = assert_whole(out)
    assert record_of(text) == run("info", reported / "spikes.npz", "--json").json
    assert "2 of 777 pixels" in text
    assert "row 4, column 9" in text
    assert "row 17, column 30" in text
    (attributes, data) = re.findall(r'class="stream" ([^>]*)>([^<]*)</script>', text)[0]
    assert 'data-readouts="90" data-height="21" data-width="37"' in attributes
    assert zlib.decompress(base64.b64decode(data)) == read_spikes(reported / "spikes.npz").packed.tobytes()


def test_runs_and_an_evaluation_beside_each_other(run: Run, reported: Path, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "runs.html"
    paths = [reported / name for name in ("run", "other", "evaluation")]
    assert run("report", *paths, "--out", out).code == 0
    text = assert_whole(out)
    record = record_of(text)
    assert record["evaluation"] == json.loads((reported / "evaluation" / "evaluation.json").read_text())
    assert record["other"]["bsn"]["last"]["loss"] == 1.0  # type: ignore[index]
    for words in ("3 of 5", "28.50 (27.00 to 30.00)", "test/a, exposure 3", "rows are missing", "10.0%"):
        assert words in text
    assert all(f"step {step}: bsn" in text for step in (10, 30))  # the first and the last of each run
    assert "step 20: bsn" not in text
    assert "PSNR by clip at V_th 1, with 95 % intervals" in text
    # Images that the evaluation kept of its samples are compared, with what they were given.
    assert text.count('class="comparison"') == 1
    assert "LDN, V_th 2: 25.00 dB" in text
    # Settings that differ come before those that do not.
    assert text.index(">epochs<") < text.index(">crop<")


def test_a_stage_that_has_just_begun_is_named(run: Run, tmp_path: Path) -> None:  # noqa: F811
    write_run(tmp_path / "run", loss=2.0)
    (tmp_path / "run" / "sr").mkdir()
    (tmp_path / "run" / "sr" / "config.json").write_text('{"config": {"stage": "sr", "epochs": 9}}')
    assert run("report", tmp_path / "run", "--out", tmp_path / "a.html").code == 0
    assert "sr of run has not finished an epoch." in assert_whole(tmp_path / "a.html")
    (tmp_path / "run" / "bsn" / "metrics.csv").unlink()
    refused = run("report", tmp_path / "run", "--out", tmp_path / "b.html")
    assert_refused(refused, "holds no stage that has finished an epoch; wait for the first")


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["none"], "does not exist"),
        (["waves"], "is a source; there are reports of datasets, spike files, training runs and evaluations"),
        (["run", "data"], "can share a report, {root}/data is neither"),
        (["data", "--height", "9"], "height is for spike files"),
        (["run", "--height", "9"], "height is for spike files"),
        (["broken"], "{root}/broken/bsn is no whole record of a training"),
        (["empty"], "{root}/empty/evaluation.json is no record of a finished evaluation"),
    ],
)
def test_what_there_is_no_report_of(run: Run, reported: Path, tmp_path: Path, paths: list[str], said: str) -> None:  # noqa: F811
    if not (reported / "broken").exists():
        write_run(reported / "broken", loss=1.0)
        (reported / "broken" / "bsn" / "metrics.csv").write_text("epoch,step\n1,none\n")
        (reported / "empty").mkdir()
        (reported / "empty" / "evaluation.json").write_text("{}")
    out = tmp_path / "out.html"
    words = [reported / path if (reported / path).exists() or path == "none" else path for path in paths]
    assert_refused(run("report", *words, "--out", out), said.format(root=reported))
    assert not out.exists()


def test_a_report_that_is_there_stays(run: Run, reported: Path, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "out.html"
    out.write_text("mine")
    assert_refused(run("report", reported / "run", "--out", out), "exists already")
    assert out.read_text() == "mine"
    assert run("report", reported / "run", "--out", out, "--overwrite").code == 0
    assert_whole(out)


def test_words_of_others_are_words(tmp_path: Path) -> None:
    """Names that look like elements of a page, or end its script, do neither."""
    evil = "</script><img src=x onerror=alert(1)>"
    page = Page(
        evil, evil, [Section(evil, [Listing(evil, (evil,), [(evil,)]), Notes(evil, [evil])], evil)], {"a": evil}
    )
    (tmp_path / "page.html").write_text(html_of(page), "utf-8")
    text = assert_whole(tmp_path / "page.html")
    assert "<img" not in text
    assert record_of(text) == {"a": evil}


def test_outlying_pixels() -> None:
    dead, hot = sorted(outlying_pixels(spoiled_stream()))
    assert (dead.row, dead.column, dead.spikes, dead.neighbours, dead.hot) == (4, 9, 0, 30, False)
    assert (hot.row, hot.column, hot.spikes, hot.neighbours, hot.hot) == (17, 30, 90, 30, True)
    assert outlying_pixels(SpikeStream.from_dense(np.zeros((50, 8, 9), np.uint8))) == []
    # A thin line, a step, and noise are scenes.
    scene = np.zeros((200, 12, 17), np.uint8)
    scene[::2, 5] = 1
    scene[:, 8:] = 1
    scene |= (np.random.default_rng(3).random(scene.shape) < 0.05).astype(np.uint8)
    assert outlying_pixels(SpikeStream.from_dense(scene)) == []


def test_figures_of_an_ideal_camera(reported: Path) -> None:  # noqa: F811
    """Rates follow light, and intervals are those of the rates."""
    sample = open_dataset(reported / "data", "train")[0]
    for v_th, stream in sample.spikes.items():
        figures = stream_figures(sample, stream, Optics())
        there = ~np.isnan(figures.rates)
        assert there.sum() > 5
        middles = ((LIGHTS[1:] + LIGHTS[:-1]) / 2)[there]
        assert np.abs(figures.rates[there] - middles / v_th).max() < 0.04
        assert figures.intervals.sum() == pytest.approx(1)
        assert figures.difference < figures.quantum + 0.01


@pytest.mark.parametrize("v_th", [1.0, 2.5])
def test_the_noise_of_an_ideal_camera_is_what_its_clock_cuts_off(v_th: float) -> None:
    """A pixel of rate r counts ⌊21r⌋ or ⌈21r⌉ spikes of 21 readouts, so often that the mean is 21r."""
    light, spread = light_spread(SpikeCamera(v_th=v_th), 400, 37)
    share = 21 * light.astype(float) / v_th % 1
    expected = np.sqrt(share * (1 - share)) * v_th / 21
    assert np.abs(spread - expected).max() < 0.1 * v_th / 21
    noisy = SpikeCamera(v_th=v_th, noise=(GainPattern(sigma=0.1),))
    # A pattern of gains spreads the light by as much of it, beside what the clock does.
    _, spread = light_spread(noisy, 400, 37)
    middle = slice(5, 18)  # all fire less than once a readout
    assert spread[middle] == pytest.approx(np.hypot(0.1 * light, np.sqrt(1 / 6) * v_th / 21)[middle], rel=0.3)


def test_motion_is_that_of_the_scene(reported: Path) -> None:  # noqa: F811
    """Waves that wander by three pixels a raw frame, over twelve of them."""
    found = motion(open_dataset(reported / "data", "train")[0])
    assert found is not None
    assert 20 < found[0] < 50


def test_images_of_a_training_that_was_stopped(tmp_path: Path) -> None:
    """It goes on in a second file, whose steps count, and the last record of the first was cut short."""
    for number, (steps, grey) in enumerate((((10, 20, 30), 0.25), ((20, 40), 0.75))):
        log = Log(tmp_path / str(number), 0)
        for step in steps:
            log.images({"bsn": torch.full((2, 1, 16, 24), grey)}, step)
        log.close()
    (first,), (second,) = ([*(tmp_path / str(number)).glob("events*")] for number in (0, 1))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "events.out.tfevents.1").write_bytes(first.read_bytes()[:-9])
    (tmp_path / "run" / "events.out.tfevents.2").write_bytes(second.read_bytes())
    found = shown_images(tmp_path / "run")
    assert {step: round(images["bsn"].mean() / 255, 1) for step, images in found.items()} == {10: 0.2, 20: 0.7, 40: 0.7}
    assert {image.shape for images in found.values() for image in images.values()} == {(16, 48, 3)}


def test_without_the_extra_nothing_is_begun(run: Run, reported: Path, tmp_path: Path, monkeypatch) -> None:  # noqa: F811
    monkeypatch.setattr("spikesim_report.extra.find_spec", lambda name: None if name == "jinja2" else name)
    monkeypatch.setattr("spikesim_report.reports.dataset_page", lambda *_, **__: pytest.fail("begun"))
    refused = run("report", reported / "data", "--out", tmp_path / "out.html")
    assert_refused(refused, "reports need jinja2; pip install 'spikesim[report]'")


def measured(key: str = "train/a", window: int = 1, **changes: object) -> MeasuredSample:
    """A sample that gives no cause to worry, but for the changes."""
    stream = {"saturated": 0.01, "dark": 0.01, "difference": 0.01, "quantum": 0.005} | {
        name: changes.pop(name) for name in ("saturated", "difference") if name in changes
    }
    figures = StreamFigures(np.full(32, 0.5), np.full(LONGEST, 1 / LONGEST), **stream)  # type: ignore[arg-type]
    plain = MeasuredSample(key, window, 1000, {2.0: figures}, (10.0, 80.0), Diagnostics(), False)
    return plain._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"saturated": 0.06}, "over 5% of the pixels fire in every readout at V_th 2: train/a 1"),
        ({"difference": 0.026}, "spikes at V_th 2 stand for other light than the blurry image: train/a 1"),
        ({"motion": (0.1, 0.9)}, "hardly anything moves, so that there is no blur to learn from: train/a 1"),
        ({"motion": (0.1, 151.0)}, "something moves by over 15% of the width in an exposure: train/a 1"),
        ({"diagnostics": Diagnostics(cuts=[7])}, "raw frames that begin a new scene: train/a 7"),
        ({"diagnostics": Diagnostics(fast=[3, 4])},
         "raw frames to which motion was too fast to be followed: train/a 3, 4"),
        ({"diagnostics": Diagnostics(left_out=[2])}, "exposures left out because of a cut: train/a 2"),
        ({"resampled": True}, "frames lay at uneven times, and readouts were made at true ones: train/a"),
    ],
)  # fmt: skip
def test_what_should_worry_is_said_once_with_its_places(changes: dict[str, object], said: str) -> None:
    assert worries([measured(), measured("train/b")]) == ["Nothing, as far as 2 samples tell."]
    assert worries([measured(**changes), measured("train/b")]) == [said]
    both = worries([measured(**changes), measured("train/b", 4, **changes)])
    assert len(both) == 1
    assert said in both[0]
    assert "train/b" in both[0]


def test_where_too_much_is_found_a_part_is_listed() -> None:
    (said,) = worries([measured(window=number, saturated=0.5) for number in range(20)])
    assert said.endswith("train/a 7 and 12 more")
