"""Images and videos of spikes: readable again, of the right size and the right intensity."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from spikesim import SpikeCamera, SpikeStream, simulate, tfi, tfstp
from spikesim.errors import InvalidValueError, OutputError
from spikesim_datasets.shards import Sample
from spikesim_datasets.visualisation import (
    Look,
    is_still,
    sample_sheet,
    sample_video,
    sheet,
    spike_image,
    streams_sheet,
    streams_video,
    write_animation,
    write_image,
)

HEIGHT, WIDTH, READOUTS = 9, 15, 13


def constant(light: float, camera: SpikeCamera, readouts: int = 64, width: int = WIDTH) -> SpikeStream:
    return simulate(np.full((readouts, HEIGHT, width), light, np.float32), camera)


@pytest.fixture
def stream(rng: np.random.Generator) -> SpikeStream:
    return SpikeStream.from_dense(rng.integers(0, 2, (READOUTS, HEIGHT, WIDTH), np.uint8))


@pytest.fixture
def sample(rng: np.random.Generator) -> Sample:
    dense = rng.integers(0, 2, (2, READOUTS, HEIGHT, WIDTH), np.uint8)
    return Sample(
        "train", "clip", 1, 3, (2, 11),
        rng.integers(0, 256, (4 * HEIGHT, 4 * WIDTH, 3), np.uint8),
        rng.integers(0, 256, (2, 4 * HEIGHT, 4 * WIDTH, 3), np.uint8),
        (2, 6),
        {v_th: SpikeStream.from_dense(dense[i], SpikeCamera(v_th=v_th)) for i, v_th in enumerate((1.0, 2.0))},
    )  # fmt: skip


# Intensity


@pytest.mark.parametrize("look", ["tfp", "tfi"])
@pytest.mark.parametrize("v_th", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_constant_light_has_its_intensity(look: Look, v_th: float, gain: float) -> None:
    # An interval of v_th/(gain·light) whole readouts, which divides the window of 32: nothing is rounded.
    camera = SpikeCamera(v_th=v_th, gain=gain, reset="subtract")
    image = spike_image(constant(0.5, camera), 32, look, 32)
    assert (image.shape, image.dtype) == ((HEIGHT, WIDTH), np.uint8)
    np.testing.assert_array_equal(image, np.full((HEIGHT, WIDTH), 128))


@pytest.mark.parametrize("v_th", [1.0, 2.0, 4.0])
def test_constant_light_comes_to_its_intensity_by_plasticity(v_th: float) -> None:
    stream = constant(0.5, SpikeCamera(v_th=v_th, gain=0.5, reset="subtract"), 512)
    np.testing.assert_array_equal(spike_image(stream, 511, "tfstp", 1), np.full((HEIGHT, WIDTH), 128))


def test_frames_of_plasticity_are_those_of_the_whole_stream(rng: np.random.Generator) -> None:
    stream = SpikeStream.from_dense(rng.integers(0, 2, (131, HEIGHT, WIDTH), np.uint8), SpikeCamera())
    for centre, frame in enumerate(streams_video({"": stream}, "tfstp", 1)):
        rates = np.rint(255 * tfstp(stream, centre)).astype(np.uint8)
        np.testing.assert_array_equal(frame, sheet([[(f"tfstp {centre}", rates)]], width=640))
    assert centre == 130


@pytest.mark.parametrize("look", ["tfp", "tfi", "tfstp", "spikes"])
def test_of_no_readouts_nothing_can_be_shown(stream: SpikeStream, look: Look) -> None:
    with pytest.raises(InvalidValueError, match="the stream is empty"):
        streams_sheet({"": stream[:0]}, look, 5)


def test_light_beyond_what_the_camera_can_tell_is_white() -> None:
    assert (spike_image(constant(1.0, SpikeCamera(v_th=0.5)), 32, "tfp", 8) == 128).all()
    bright = replace(constant(1.0, SpikeCamera(v_th=1.0)), camera=SpikeCamera(v_th=3.0))
    assert (spike_image(bright, 32, "tfp", 8) == 255).all()


def test_without_a_camera_the_brightest_is_white() -> None:
    ramp = np.linspace(0.05, 0.5, 20, dtype=np.float32)
    stream = simulate(np.broadcast_to(ramp, (400, HEIGHT, 20)).copy(), SpikeCamera())
    image = spike_image(replace(stream, camera=None), 200, "tfp", 400)
    assert image.max() == 255
    np.testing.assert_allclose(image.mean(axis=0), 255 * ramp / 0.5, atol=3)
    dark = SpikeStream.from_dense(np.zeros((5, HEIGHT, WIDTH), np.uint8))
    assert not spike_image(dark, 2, "tfp", 3).any()


def test_spikes_are_black_and_white(stream: SpikeStream) -> None:
    np.testing.assert_array_equal(spike_image(stream, 3, "spikes", 1), stream.dense()[3] * 255)


def test_the_window_stays_in_the_stream(stream: SpikeStream) -> None:
    dense = replace(stream, camera=SpikeCamera()).dense()
    seen = replace(stream, camera=SpikeCamera())
    for centre, start in ((0, 0), (1, 0), (6, 4), (11, 8), (12, 8)):
        mean = dense[start : start + 5].mean(axis=0)
        np.testing.assert_array_equal(spike_image(seen, centre, "tfp", 5), np.rint(mean * 255))
    np.testing.assert_array_equal(spike_image(seen, 0, "tfp", READOUTS), np.rint(dense.mean(axis=0) * 255))
    np.testing.assert_array_equal(spike_image(seen, 12, "tfi", 5), np.rint(tfi(stream, 12) * 255))
    with pytest.raises(InvalidValueError, match="a window of 14 readouts"):
        spike_image(seen, 6, "tfp", READOUTS + 1)


def test_an_unknown_look_is_refused(stream: SpikeStream) -> None:
    with pytest.raises(InvalidValueError, match="look must be one of 'spikes', 'tfp', 'tfi', 'tfstp', got 'rainbow'"):
        spike_image(stream, 3, "rainbow", 5)  # type: ignore[arg-type]


# Sheets


@pytest.mark.parametrize("shape", [(9, 15), (9, 15, 3), (720, 1280, 3), (1, 4001), (20, 3)])
@pytest.mark.parametrize("width", [33, 480])
def test_sheets_have_even_sides(shape: tuple[int, ...], width: int) -> None:
    page = sheet([[("one", np.full(shape, 7, np.uint8))] * 2, [("three", np.full(shape, 7, np.uint8))]], width)
    assert page.dtype == np.uint8
    assert (page.ndim, page.shape[0] % 2, page.shape[1] % 2, page.shape[2]) == (3, 0, 0, 3)
    assert page.shape[1] >= 2 * width
    assert (page == 7).all(axis=2).sum() >= 3 * width * max(1, round(shape[0] * width / shape[1]))


def test_images_on_a_sheet_keep_their_colours_and_pixels() -> None:
    red = np.zeros((4, 6, 3), np.uint8)
    red[1, 2] = (255, 0, 0)
    page = sheet([[("red", red)]], width=60)
    rows, columns = np.nonzero((page == (255, 0, 0)).all(axis=2))
    assert len(rows) == 100  # one pixel, ten times as wide and high
    assert (np.ptp(rows), np.ptp(columns)) == (9, 9)


def test_a_sample_at_one_view(sample: Sample) -> None:
    page = sample_sheet(sample, window=5)
    # Four panels in a row; a row of two for blur and truth, twice as large, and one for each threshold.
    assert page.shape[1] >= 4 * 480
    heights = (2 + 1 + 1) * round(480 * HEIGHT / WIDTH)
    assert heights < page.shape[0] < 1.2 * heights
    # No part of it is empty paper but for margins and captions.
    assert (page == 250).all((0, 2)).mean() < 0.05
    assert (page == 250).all((1, 2)).sum() < 3 * (26 + 6) + 10
    bare = sample_sheet(sample, window=5, labels=False)
    assert (bare.shape[1], page.shape[0] - bare.shape[0]) == (page.shape[1], 3 * 26)
    without = sample_sheet(replace(sample, sharp=sample.sharp[:0], sharp_readouts=()), window=5)
    assert without.shape == page.shape
    assert not np.array_equal(without, page)


def test_a_strip_of_moments(stream: SpikeStream) -> None:
    page = streams_sheet({"": stream}, "tfp", window=3, moments=4)
    assert 4 * 400 <= page.shape[1] < 5 * 400
    expected = [spike_image(stream, centre, "tfp", 3) for centre in (2, 4, 7, 9)]
    for number, image in enumerate(expected):
        left = 6 + number * 406
        panel = page[6 + 26 : 6 + 26 + 240, left : left + 400]
        centres = (
            ((np.arange(HEIGHT) + 0.5) * 240 / HEIGHT).astype(int),
            ((np.arange(WIDTH) + 0.5) * 400 / WIDTH).astype(int),
        )
        np.testing.assert_array_equal(panel[np.ix_(*centres)][..., 0], image)


# Files


def frames(count: int, height: int = 48, width: int = 64) -> Iterator[np.ndarray]:
    y, x, _ = np.ogrid[:height, :width, :3]
    for number in range(count):
        yield (100 + 20 * np.sin(x / 9 + number) + 20 * np.cos(y / 7)).astype(np.uint8) * np.ones(3, np.uint8)


def test_a_image_is_read_again(tmp_path: Path, rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (31, 37, 3), np.uint8)
    write_image(tmp_path / "new" / "a.PNG", image)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "new" / "a.PNG")), image)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.PNG"]


def test_a_gif_is_read_again(tmp_path: Path) -> None:
    write_animation(tmp_path / "a.gif", frames(7))
    with Image.open(tmp_path / "a.gif") as video:
        assert (video.n_frames, video.size, video.info["loop"]) == (7, (64, 48), 0)
        for number, frame in enumerate(frames(7)):
            video.seek(number)
            assert video.info["duration"] == 50
            assert np.abs(np.asarray(video.convert("RGB")).astype(int) - frame).mean() < 5


def test_an_mp4_is_read_again(tmp_path: Path) -> None:
    write_animation(tmp_path / "a.mp4", frames(7))
    with av.open(str(tmp_path / "a.mp4")) as video:
        assert video.streams.video[0].average_rate == 20
        decoded = [image.to_ndarray(format="rgb24") for image in video.decode(video=0)]
    assert len(decoded) == 7
    for found, frame in zip(decoded, frames(7), strict=True):
        assert np.abs(found.astype(int) - frame).mean() < 5


@pytest.mark.parametrize("look", ["spikes", "tfp", "tfi", "tfstp"])
def test_videos_go_through_all_readouts(tmp_path: Path, stream: SpikeStream, sample: Sample, look: Look) -> None:
    write_animation(tmp_path / "stream.mp4", streams_video({"": stream}, look, 3))
    write_animation(tmp_path / "sample.gif", sample_video(sample, look, 3))
    with av.open(str(tmp_path / "stream.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == READOUTS
    with Image.open(tmp_path / "sample.gif") as pages:
        assert pages.n_frames == READOUTS


def test_a_video_of_a_sample_shows_the_nearest_ground_truth(sample: Sample) -> None:
    shown = [page[6 + 26 + 20, 6 + 326 + 20 : 6 + 326 + 300] for page in sample_video(sample, "spikes", 3)]
    first = [bool(np.array_equal(row, shown[0])) for row in shown]
    # Ground truth lies at readouts 2 and 6; 4 is as near to either.
    assert first == [True] * 5 + [False] * 8


@pytest.mark.parametrize("name", ["a.jpg", "a.avi", "a", "a.png.txt"])
def test_unknown_extensions_are_refused(tmp_path: Path, name: str) -> None:
    write: list[Callable[[], None]] = [
        lambda: write_image(tmp_path / name, np.zeros((4, 4, 3), np.uint8)),
        lambda: write_animation(tmp_path / name, frames(2)),
    ]
    for act in write:
        with pytest.raises(InvalidValueError, match=rf"{name}: images are \.png, videos \.gif or \.mp4"):
            act()
    assert not list(tmp_path.iterdir())


def test_images_are_no_videos(tmp_path: Path) -> None:
    assert [is_still(name) for name in ("a.png", "A.PNG", "a.gif", "a.mp4")] == [True, True, False, False]
    with pytest.raises(InvalidValueError, match=r"a\.gif: images are \.png"):
        write_image(tmp_path / "a.gif", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InvalidValueError, match=r"a\.png: videos are \.gif or \.mp4"):
        write_animation(tmp_path / "a.png", frames(2))


@pytest.mark.parametrize("name", ["a.gif", "a.mp4"])
def test_a_video_without_a_frame_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValueError, match=rf"{name} would be a video without a frame"):
        write_animation(tmp_path / name, iter(()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.gif", "a.mp4"])
def test_a_video_that_fails_leaves_nothing(tmp_path: Path, name: str) -> None:
    def failing() -> Iterator[np.ndarray]:
        yield from frames(2)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_animation(tmp_path / name, failing())
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/a\.png"):
        write_image(tmp_path / "file" / "a.png", np.zeros((4, 4, 3), np.uint8))
    for name in ("a.gif", "a.mp4"):
        with pytest.raises(OutputError, match=rf"file/{name}"):
            write_animation(tmp_path / "file" / name, frames(2))
