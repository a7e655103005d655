"""Videos whose frames are not evenly apart: seen as such, refused with figures, or made even by their true times."""

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from commands import assert_refused, run  # noqa: F401
from hypothesis import assume, given
from hypothesis import strategies as st
from source_data import everything, write_video

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.continuity import Continuity
from spikesim_datasets.interpolation import make_interpolator
from spikesim_datasets.readouts import interpolated
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.sources import Reading, ResampledClip, VideoClip, open_clips
from spikesim_datasets.sources.timing import describe_timing, describe_uneven, evenly_apart, frame_times
from spikesim_datasets.videos import to_rgb
from spikesim_datasets.videos.frame_times import filled

RESAMPLE = Reading(timing="resample")
DARKEST, BRIGHTER = 20.0, 0.05  # grey levels: at the beginning, and more in each millisecond


CODECS = {".mkv": ("ffv1", "yuv444p", {}), ".webm": ("libvpx-vp9", "yuv420p", {}), ".flv": ("flv", "yuv420p", {})}


def write_brightening(path: Path, times_ms: list[int], rate: int = 30, brighter: float = BRIGHTER) -> Path:
    """A video of one grey that tells its time, so that what is seen at any time is known; lossless as .mkv or .mov."""
    with av.open(str(path), "w") as container:
        codec, layout, options = CODECS.get(path.suffix, ("libx264", "yuv444p", {"crf": "0"}))
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = 64, 64, layout
        stream.codec_context.time_base = Fraction(1, 1000)
        for time in times_ms:
            grey = np.full((64, 64, 3), min(255, round(DARKEST + brighter * time)), np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def dropped(count: int, every: int, step: float = 100 / 3) -> list[int]:
    return [round(step * i) for i in range(count) if i % every != every - 1]


# What is even


CLOCKS = st.sampled_from([1000, 600, 15360, 90000, 10**9])


@given(
    rate=st.floats(1, 500), clock=CLOCKS, count=st.integers(1, 300), begin=st.floats(-9, 9), down=st.booleans(),
)  # fmt: skip
def test_what_a_clock_makes_of_even_steps_is_even(rate, clock, count, begin, down):
    times = (begin + np.arange(count) / rate) * clock
    assert evenly_apart((np.floor(times) if down else np.rint(times)).astype(int).tolist())


@given(
    rate=st.floats(1, 500), clock=CLOCKS, count=st.integers(7, 300), lost=st.integers(0, 10**6), down=st.booleans()
)  # fmt: skip
def test_a_frame_that_was_dropped_is_seen(rate, clock, count, lost, down):
    rate = min(rate, clock / 3)  # what a clock rounds to steps of 2 and 3 tells no frame from two
    times = np.arange(count) / rate * clock
    times = (np.floor(times) if down else np.rint(times)).astype(int).tolist()
    del times[1 + lost % (count - 2)]
    assert not evenly_apart(times)


@given(seed=st.integers(0, 999), count=st.integers(10, 200))
def test_steps_that_vary_are_seen(seed, count):
    """As of a phone in the dark: each a fifth longer or shorter."""
    steps = 33 * (1 + 0.2 * np.random.default_rng(seed).choice([-1, 1], count))
    times = np.rint(np.cumsum([0, *steps, *([33] * 3), *([66] * 3)]) * 90).astype(int).tolist()
    assert not evenly_apart(times)


def test_a_rate_that_changes_is_seen():
    assert not evenly_apart([*range(0, 3000, 30), *range(3000, 6000, 60)])
    assert evenly_apart([]) and evenly_apart([5]) and evenly_apart([5, 900])  # noqa: PT018


def test_the_figures_are_those_of_the_frames():
    times = [0, 33, 67, 100, 167, 200, 233]
    assert describe_uneven(times, Fraction(1, 1000)) == (
        "most frames are 33.2 ms apart, but 1 of 6 are not: frames 3 and 4 are 67 ms apart"
    )
    drifting = [90 * i + i * i // 20 for i in range(80)]
    assert not evenly_apart(drifting)
    assert "most frames are" in describe_uneven(drifting, Fraction(1, 90000))


def test_times_are_in_steps_of_most_frames():
    assert frame_times([7, 17, 27, 57, 67]) == (0, 1, 2, 5, 6)


# Where a clock is nearly as coarse as the steps

FAST = st.sampled_from([1000, 960, 800, 750, 720, 600, 500, 480, 400])


@given(
    rate=st.integers(334, 1000), many=st.integers(1, 2), count=st.integers(3, 400), begin=st.floats(0, 1),
    down=st.booleans(),
)  # fmt: skip
def test_even_steps_of_a_stated_rate_are_even(rate, many, count, begin, down):
    """Also if it is the rate of a camera of whose frames every second was kept."""
    times = begin + np.arange(0, many * count, many) * 1000 / rate
    times = (np.floor(times) if down else np.rint(times)).astype(int).tolist()
    assert evenly_apart(times, Fraction(1000, rate))


@given(rate=FAST, count=st.integers(60, 400), data=st.data(), begin=st.floats(0, 1), down=st.booleans())
def test_frames_dropped_of_a_stated_rate_are_seen_and_known(rate, count, data, begin, down):
    dropped = data.draw(st.sets(st.integers(1, count - 2), min_size=1, max_size=count // 10))
    numbers = np.array([number for number in range(count) if number not in dropped])
    times = begin + numbers * 1000 / rate
    times = (np.floor(times) if down else np.rint(times)).astype(int).tolist()
    assert not evenly_apart(times, Fraction(1000, rate))
    assert frame_times(times, Fraction(1000, rate)) == tuple(numbers.tolist())


def test_frames_dropped_in_the_beat_of_another_rate_are_seen_by_the_stated_one_alone():
    times = [time for time in range(70) if time % 17 != 16]
    assert evenly_apart(times)  # as 941 a second are, which a clock of 1 ms shows in the same places
    assert not evenly_apart(times, Fraction(1))
    assert describe_uneven(times, Fraction(1, 1000), Fraction(1)) == (
        "it states 1000 frames per second, by which some are missing in 4 of 65 places, first between frames 15 and 16"
    )


@pytest.mark.parametrize(
    "stated", [Fraction(2), Fraction(40), Fraction(1, 2), Fraction(1001, 1000), Fraction(2**62 + 1, 2**62 - 1)]
)
def test_a_stated_rate_that_times_contradict_says_nothing(stated):
    assert evenly_apart(list(range(3000)), stated)
    assert not evenly_apart([0, 1, 2, 3, 6, 7, 8, 9], stated)
    assert frame_times([0, 1, 2, 4, 5], Fraction(3)) == frame_times([0, 1, 2, 4, 5])


def test_of_longer_steps_the_times_say_more_than_the_stated_rate():
    """Recorders state 1000 frames per second of what comes at any rate."""
    assert evenly_apart([round(100 / 3 * number) for number in range(99)], Fraction(1))


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("rate", [600, 750, 960, 1000])
def test_fast_video_is_read_whole_and_refused_with_gaps(tmp_path, suffix, rate):
    times = [round(number * 1000 / rate) for number in range(60)]
    (clip,) = open_clips([write_brightening(tmp_path / f"even{suffix}", times, rate)])
    assert isinstance(clip, VideoClip)
    assert clip.n_frames == 60
    path = write_brightening(tmp_path / f"a{suffix}", [time for i, time in enumerate(times) if i % 17 != 16], rate)
    with pytest.raises(
        InputFileError, match=rf"it states {rate} frames .* in 3 of 56 places, first between frames 15 "
    ):
        open_clips([path])


@pytest.mark.parametrize(("rate", "record"), [(1000, {}), (960, {"rate": "960"})])
def test_readouts_of_fast_video_are_at_their_times(tmp_path, rate, record):
    """What earlier versions resampled otherwise, by rounded times, is recorded."""
    numbers = [number for number in range(60) if number % 17 != 16]
    times = [round(number * 1000 / rate) for number in numbers]
    path = write_brightening(tmp_path / "a.mkv", times, rate, brighter=3)
    (clip,) = open_clips([path], reading=RESAMPLE)
    assert isinstance(clip, ResampledClip)
    assert clip.n_frames == 60
    assert clip.fingerprint() == clip.video.fingerprint() | {"timing": "resample"} | record
    made = [frame.mean() for _, frame in interpolated(clip, make_interpolator("linear"), 4, [range(59 * 4 + 1)])]
    expected = DARKEST + 3 * np.arange(59 * 4 + 1) / 4 * 1000 / rate
    assert np.abs(np.array(made) - expected).max() < 3  # of a clock that rounds to 1 ms, in which three are added
    kept = np.array(made)[[4 * number for number in numbers]]
    assert np.abs(kept - (DARKEST + 3 * np.array(times))).max() < 2  # frames that are there are taken


# Clips


@pytest.mark.parametrize("suffix", [".mkv", ".mov"])
def test_an_uneven_video_is_refused_with_its_figures(tmp_path, suffix):
    path = write_brightening(tmp_path / f"a{suffix}", dropped(60, 17))
    with pytest.raises(InputFileError, match=r"a\.m.. does not show its frames in even steps of time: most frames are "
                       r"33\.\d+ ms apart, but 3 of 56 are not: frames 15 and 16 are 6\d(\.\d+)? ms apart\. Make "
                       r"readouts .* --timing resample, .* --timing ignore$"):  # fmt: skip
        open_clips([path])
    (clip,) = open_clips([path], reading=Reading(timing="ignore"))
    assert isinstance(clip, VideoClip)
    assert len(everything(clip)) == 57


@pytest.mark.parametrize("reading", [Reading(), RESAMPLE, Reading(timing="ignore")])
def test_an_even_video_is_what_it_was(tmp_path, reading):
    path = write_brightening(tmp_path / "a.mkv", dropped(40, 10**6))
    (clip,) = open_clips([path], reading=reading)
    assert isinstance(clip, VideoClip)
    assert "timing" not in clip.fingerprint()


UNEVEN = {
    "dropped": dropped(60, 17),
    "two dropped": [time for i, time in enumerate(dropped(60, 10**6)) if i not in (20, 21, 40)],
    "the second dropped": [0, *(round(100 / 3 * i) for i in range(2, 60))],
    "wandering": np.rint(np.cumsum(33 * (1 + 0.3 * np.sin(np.arange(60) / 3)))).astype(int).tolist(),
    "two rates": [*range(0, 1000, 20), *range(1000, 2000, 40)],
}


@pytest.mark.parametrize("times", UNEVEN.values(), ids=UNEVEN)
@pytest.mark.parametrize("factor", [8, 5])
def test_readouts_are_what_was_seen_at_their_times(tmp_path, times, factor):
    """The grey of a readout is that of its time, wherever frames lie; parts of a clip are parts of the whole."""
    (clip,) = open_clips([write_brightening(tmp_path / "a.mkv", times)], reading=RESAMPLE)
    assert isinstance(clip, ResampledClip)
    assert not evenly_apart(times)
    step = (times[-1] - times[0]) / clip.times[-1]
    assert clip.n_frames == int((times[-1] - times[0]) / step + 0.05) + 1
    readouts = range((clip.n_frames - 1) * factor + 1)
    linear = make_interpolator("linear")
    made = dict(interpolated(clip, linear, factor, [readouts]))
    assert list(made) == list(readouts)
    expected = DARKEST + BRIGHTER * (times[0] + np.array(readouts) * step / factor)
    found = np.array([frame.mean() for frame in made.values()])
    assert np.abs(found - expected).max() < 2  # of rounding the video, the blend, and frames that are near
    some = range(3 * factor + 2, 11 * factor - 1)
    again = dict(interpolated(clip, linear, factor, [some]))
    assert list(again) == list(some)
    assert all(np.array_equal(again[readout], made[readout]) for readout in some)


def write_steps(path: Path, steps: list[int], codec: str = "ffv1") -> Path:
    """As `write_brightening`, in an AVI file: it has a place for each thirtieth of a second, which may be empty."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=30, options={"x264-params": "bframes=2:b-adapt=0"} if codec == "libx264" else {}
        )
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv444p"
        for step in steps:
            grey = np.full((64, 64, 3), round(DARKEST + BRIGHTER * step * 1000 / 30), np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = step, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


GAPS = {
    "one": [step for step in range(60) if step != 20],
    "some": [step for step in range(60) if step not in (1, 20, 21, 40)],
    "many": [step for step in range(60) if step % 4 != 3],
}


@pytest.mark.parametrize("steps", GAPS.values(), ids=GAPS)
def test_frames_left_out_of_an_avi_file_are_seen_and_its_readouts_made_at_their_times(tmp_path, steps):
    path = write_steps(tmp_path / "a.avi", steps)
    gaps = [after - before for before, after in pairwise(steps) if after > before + 1]
    figures = rf"33\.33 ms apart, but {len(gaps)} of {len(steps) - 1} are not.* {max(gaps) * 100 / 3:.4g} ms apart"
    with pytest.raises(InputFileError, match=rf"a\.avi does not show .*{figures}.*--timing resample"):
        open_clips([path])
    (clip,) = open_clips([path], reading=RESAMPLE)
    assert clip.n_frames == steps[-1] - steps[0] + 1
    made = [frame.mean() for _, frame in interpolated(clip, make_interpolator("linear"), 1, [range(clip.n_frames)])]
    expected = DARKEST + BRIGHTER * np.arange(steps[0], steps[-1] + 1) * 1000 / 30
    assert np.abs(np.array(made) - expected).max() < 2
    (clip,) = open_clips([path], reading=Reading(timing="ignore"))
    assert len(everything(clip)) == len(steps)


@pytest.mark.parametrize("codec", ["ffv1", "libx264"])
def test_an_avi_file_without_gaps_is_even(tmp_path, codec):
    path = write_steps(tmp_path / "a.avi", list(range(40)), codec)
    (clip,) = open_clips([path])
    assert isinstance(clip, VideoClip)
    assert describe_timing(clip.index.times, clip.index.time_base) == (
        "even: frames are 33.33 ms apart, none more than 0 ms off"
    )


def test_gaps_in_an_avi_file_whose_frames_are_out_of_order_are_nobody_knows_where(run, tmp_path):  # noqa: F811
    path = write_steps(tmp_path / "a.avi", GAPS["some"], "libx264")
    for reading in (Reading(), RESAMPLE):
        with pytest.raises(InputFileError, match=r"a\.avi leaves frames out and stores others out of order, so that"):
            open_clips([path], reading=reading)
    (clip,) = open_clips([path], reading=Reading(timing="ignore"))
    assert len(everything(clip)) == 56
    record = run("info", path, "--json").json
    assert (record["even"], record["timing"]) == (False, "uneven: it leaves frames out and stores others out of order")


# Where some frames tell no time


@given(
    rate=st.floats(1, 500), clock=CLOCKS, told=st.lists(st.booleans(), min_size=2, max_size=80), begin=st.floats(-9, 9),
)  # fmt: skip
def test_even_times_are_filled_in(rate, clock, told, begin):
    exact = (begin + np.arange(len(told)) / rate) * clock
    times = [round(time) if tells else None for time, tells in zip(exact, told, strict=True)]
    numbers = np.flatnonzero(told)
    assume(len(numbers) > 1)
    complete = filled(times)
    assert complete is not None
    assert len(complete) == len(times)
    assert all(time in (None, made) for time, made in zip(times, complete, strict=True))
    # Clocks round by half a tick; beyond the ends that adds up.
    between = np.abs(np.array(complete) - exact)[numbers[0] : numbers[-1] + 1]
    assert between.max() <= 1 + 1e-6


@given(data=st.data(), rate=st.floats(10, 300), count=st.integers(12, 60))
def test_a_gap_is_seen_or_nobody_knows_where_it_is(data, rate, count):
    gap = data.draw(st.integers(3, count - 3))  # a frame was dropped before this one
    hidden = data.draw(st.integers(1, count - 2))
    times = [round((number + (number >= gap)) * 90_000 / rate) for number in range(count)]
    complete = filled([*times[:hidden], None, *times[hidden + 1 :]])
    if hidden in (gap - 1, gap):
        assert complete is None
    else:
        assert complete is not None
        assert np.abs(np.array(complete) - times).max() <= 1
        assert not evenly_apart(complete)
    assert filled([None, *times]) is None
    assert filled([*times, None]) is None


def write_stream(path: Path, times_ms: list[int], silent: set[int]) -> Path:
    """An MPEG transport stream whose frames of some numbers bear no time, as the standard allows."""
    content = bytearray(write_video(path, times_ms=times_ms, options={"bf": "0"}).read_bytes())
    place = -1
    for number in range(len(times_ms)):
        place = content.index(b"\x00\x00\x01\xe0", place + 1)
        if number in silent:
            length = content[place + 8]
            content[place + 7] &= 0x3F  # neither PTS nor DTS follow
            content[place + 9 : place + 9 + length] = b"\xff" * length
    path.write_bytes(content)
    with av.open(str(path)) as container:
        assert {number for number, image in enumerate(container.decode(video=0)) if image.pts is None} == silent
    return path


EVEN = [round(100 / 3 * number) for number in range(40)]


def test_a_stream_with_frames_that_tell_no_time_is_even_if_the_others_are(tmp_path):
    path = write_stream(tmp_path / "a.ts", EVEN, {20, 21, 39})
    (clip,) = open_clips([path])
    assert isinstance(clip, VideoClip)
    assert clip.index.timestamps == ()
    assert np.abs(np.diff(clip.index.times) - 3000).max() <= 90  # the video was made by a clock of 1 ms
    with av.open(str(path)) as container:
        frames = [to_rgb(image) for image in container.decode(video=0)]
    for start in (0, 20, 22, 39):
        assert np.array_equal(list(clip.frames(start, start + 1)), frames[start : start + 1])


def test_gaps_between_frames_that_tell_are_seen(tmp_path):
    whole, silent = (write_stream(tmp_path / f"{len(none)}.ts", dropped(48, 6), none) for none in (set(), {22}))
    with pytest.raises(InputFileError, match=r"1\.ts does not show its frames in even steps.* 7 of 39 are not"):
        open_clips([silent])
    (clip,), (expected,) = (open_clips([path], reading=RESAMPLE) for path in (silent, whole))
    assert np.abs(np.subtract(clip.times, expected.times)).max() < 0.02  # a clock of 1 ms made the video


def test_where_nobody_knows_where_gaps_are_a_stream_is_refused(run, tmp_path):  # noqa: F811
    path = write_stream(tmp_path / "a.ts", dropped(48, 6), {20})  # a frame was dropped before it, or behind
    for reading in (Reading(), RESAMPLE):
        with pytest.raises(InputFileError, match=r"a\.ts does not tell when some .* with --timing ignore"):
            open_clips([path], reading=reading)
    assert len(everything(*open_clips([path], reading=Reading(timing="ignore")))) == 40
    record = run("info", path, "--json").json
    assert record["even"] is False
    assert record["timing"].startswith("uneven: it does not tell when some of its frames are shown")


def test_gaps_are_seen_where_the_beginning_lies_before_zero(tmp_path):
    """FFmpeg does not give out times below zero of H.264 in Matroska."""
    source = write_video(tmp_path / "source.mkv", times_ms=dropped(48, 6), options={"bf": "0"})
    with (
        av.open(str(source)) as given,
        av.open(str(tmp_path / "a.mkv"), "w", options={"avoid_negative_ts": "disabled"}) as container,
    ):
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - 400, packet.dts - 400, stream
                container.mux(packet)
    with pytest.raises(InputFileError, match=r"a\.mkv does not "):
        open_clips([tmp_path / "a.mkv"])
    assert len(everything(*open_clips([tmp_path / "a.mkv"], reading=Reading(timing="ignore")))) == 40


def test_frames_that_are_there_are_kept(tmp_path):
    """Where the video has a frame at the time of a raw frame, that is taken and nothing made."""
    (clip,) = open_clips([write_brightening(tmp_path / "a.mkv", dropped(34, 17))], reading=RESAMPLE)
    frames = everything(clip.video)
    asked: list[float] = []

    class Noting:
        dense = False

        def describe(self):
            return {"name": "noting"}

        def between(self, first, second, times):
            asked.extend(times)
            for _ in times:
                yield first

    raw = [frame for readout, frame in interpolated(clip, Noting(), 8, [range(32 * 8 + 1)]) if readout % 8 == 0]
    assert clip.n_frames == 33
    assert sum(any(frame is None or np.array_equal(frame, real) for real in frames) for frame in raw) == 33
    # Seven between neighbours, fifteen where one was dropped: at its time as well.
    assert len(asked) == 7 * 30 + 15
    assert sum(abs(time - 0.5) < 0.02 for time in asked) == 31


def test_cuts_are_noted_at_their_times(tmp_path):
    diagnostics = Diagnostics()
    continuity = Continuity(diagnostics)
    rng = np.random.default_rng(0)
    scenes = [rng.integers(0, 256, (96, 160, 3), np.uint8) for _ in range(2)]
    for number, time in enumerate((0.0, 1.0, 3.2, 4.0)):
        continuity.look(number, scenes[number > 1], time)
    assert diagnostics.cuts == [4]


def test_what_takes_frames_as_they_are_cannot_have_them_resampled(run, tmp_path):  # noqa: F811
    path = write_brightening(tmp_path / "a.mkv", dropped(260, 17))
    (clip,) = open_clips([path], reading=RESAMPLE)
    with pytest.raises(InvalidValueError, match="is resampled, so its frames are made by an interpolator"):
        list(clip.frames(0, 3))
    for command in (
        ("build", path, "--out", tmp_path / "out", "--interp", "none"),
        ("interpolate", "--check", path),
        ("simulate", path, tmp_path / "a.npz", "--interp", "none"),
    ):
        result = run(*command, "--timing", "resample")
        assert_refused(result, "is resampled", "take its frames as even with --timing ignore")
        assert "than none" not in result.err  # with --check none was given
    assert not (tmp_path / "a.npz").exists()


def test_a_build_refuses_resamples_or_ignores(run, tmp_path):  # noqa: F811
    path, out = write_brightening(tmp_path / "a.mkv", dropped(60, 17)), tmp_path / "out"
    build = ("build", path, "--out", out, "--preset", "ideal", "--interp", "linear", "--workers", 1, "--json")
    assert_refused(run(*build), "does not show its frames in even steps", "--timing resample")
    assert not out.exists()
    made = run(*build, "--timing", "resample")
    assert made.code == 0, made.err
    assert json.loads(made.out)["samples"] == 3  # of 59 frames and not of 57
    again = run(*build, "--timing", "resample")
    assert (json.loads(again.out)["built"], json.loads(again.out)["kept"]) == (0, 1)
    assert_refused(run(*build, "--timing", "ignore"), "--overwrite")


def test_a_timing_there_is_not_is_refused():
    with pytest.raises(InvalidValueError, match="timing must be one of 'refuse', 'resample', 'ignore', got 'guess'"):
        Reading(timing="guess")
