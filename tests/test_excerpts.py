"""Parts of clips and of spike files: what is built, shown and converted of a part is that of the part alone."""

import pickle
import shutil

import numpy as np
import pytest
from build_data import write_frames
from commands import assert_refused, run  # noqa: F401
from source_data import everything, write_video
from test_timing import RESAMPLE, dropped, write_brightening

from spikesim import SpikeStream, read_spikes, write_spikes
from spikesim.errors import InvalidValueError
from spikesim.formats import FORMATS
from spikesim_datasets.image_files import read_image
from spikesim_datasets.interpolation import make_interpolator
from spikesim_datasets.readouts import interpolated
from spikesim_datasets.shards import ShardReader
from spikesim_datasets.sources import DemoClip, ExactClip, ExcerptClip, ResampledClip, excerpt, open_clips
from spikesim_datasets.visualisation import streams_sheet


def test_frames_of_an_excerpt_are_those_of_the_clip(tmp_path):
    clips = open_clips([write_frames(tmp_path / "a", 9), write_video(tmp_path / "b.mp4")])
    clips.append(DemoClip("test", "desk", "desk", 9, 64, 96))
    for clip in clips:
        part = excerpt(clip, 2, 5)
        assert isinstance(part, ExcerptClip)
        assert (part.key, part.source, part.n_frames) == (clip.key, clip.source, 5)
        assert (part.height, part.width) == (clip.height, clip.width)
        assert np.array_equal(everything(part), list(clip.frames(2, 7)))
        assert np.array_equal(list(part.frames(3, 99)), list(clip.frames(5, 7)))  # not beyond its end
        assert not isinstance(part, ExactClip)
        assert part.fingerprint() == {**clip.fingerprint(), "excerpt": {"start": 2, "frames": 5}}
        assert pickle.loads(pickle.dumps(part)) == part
        assert excerpt(clip, 4).n_frames == clip.n_frames - 4
        assert np.array_equal(everything(excerpt(part, 1, 2)), list(clip.frames(3, 5)))


def test_all_of_a_clip_is_the_clip(tmp_path):
    (clip,) = open_clips([write_frames(tmp_path / "a", 9)])
    assert excerpt(clip) is excerpt(clip, 0, 9) is clip


@pytest.mark.parametrize(("start", "frames"), [(9, None), (0, 10), (5, 5), (8, 2)])
def test_frames_that_there_are_not(tmp_path, start, frames):
    (clip,) = open_clips([write_frames(tmp_path / "a", 9)])
    with pytest.raises(InvalidValueError, match="are not in train/a, which has 9"):
        excerpt(clip, start, frames)


def test_exact_clips_stay_exact():
    (clip,) = open_clips(["demo:desk#1"])
    part = excerpt(clip, 3, 20)
    assert isinstance(part, ExactClip)
    assert np.array_equal(part.at(1.5), clip.at(4.5))
    assert np.array_equal(part.flow(0.5, 2), clip.flow(3.5, 5))


@pytest.mark.parametrize("every", [17, 4])
def test_resampled_clips_keep_their_times(tmp_path, every):
    """Frames of the video before and after the excerpt are still those that its readouts are made of."""
    (clip,) = open_clips([write_brightening(tmp_path / "a.mkv", dropped(60, every))], reading=RESAMPLE)
    part = excerpt(clip, 5, 9)
    assert isinstance(part, ResampledClip)
    assert part.n_frames == 9
    assert part.fingerprint() == {**clip.fingerprint(), "excerpt": {"start": 5, "frames": 9}}
    again = excerpt(part, 2, 4)
    assert (again.n_frames, again.fingerprint()["excerpt"]) == (4, {"start": 7, "frames": 4})
    linear, factor = make_interpolator("linear"), 8
    whole = dict(interpolated(clip, linear, factor, [range((clip.n_frames - 1) * factor + 1)]))
    for piece, offset in ((part, 5), (again, 7)):
        readouts = range((piece.n_frames - 1) * factor + 1)
        made = dict(interpolated(piece, linear, factor, [readouts]))
        assert list(made) == list(readouts)
        for readout, frame in made.items():
            assert np.array_equal(frame, whole[readout + offset * factor])


@pytest.mark.parametrize("interpolation", ["linear", "none"])
def test_a_build_of_part_of_a_clip_is_that_of_its_frames_alone(run, tmp_path, interpolation):  # noqa: F811
    frames = write_frames(tmp_path / "clip", 250)
    alone = tmp_path / "alone" / "clip"
    alone.mkdir(parents=True)
    for number in range(11, 241):
        shutil.copy(frames / f"{number:06d}.png", alone)
    words = ("--interp", interpolation, "--workers", 1, "--json", "--preset", "ssdm")
    built = run("build", frames, "--out", tmp_path / "part", "--start", 11, "--frames", 230, *words)
    assert built.code == 0, built.err
    assert run("build", alone, "--out", tmp_path / "out", *words).json["samples"] == built.json["samples"] > 0
    with (
        ShardReader(tmp_path / "part/train/clip.000.h5") as part,
        ShardReader(tmp_path / "out/train/clip.000.h5") as expected,
    ):
        assert part.windows == expected.windows
        assert part.recipe["clip"]["excerpt"] == {"start": 11, "frames": 230}
        for number in range(len(part)):
            assert np.array_equal(part.blur(number), expected.blur(number))
            assert np.array_equal(part.sharp(number), expected.sharp(number))
            assert np.array_equal(part.spikes(number).packed, expected.spikes(number).packed)


def test_the_part_is_in_the_identity_of_a_build(run, tmp_path):  # noqa: F811
    build = ("build", write_frames(tmp_path / "clip", 45), "--out", tmp_path / "out", "--interp", "linear", "--json")
    build = (*build, "--workers", 1)
    assert run(*build, "--start", 3, "--frames", 30).json["built"] == 1
    again = run(*build, "--start", 3, "--frames", 30).json
    assert (again["built"], again["kept"]) == (0, 1)
    for other, now in (
        ((), "all frames"),
        (("--start", 4, "--frames", 30), "frames 4..33"),
        (("--start", 3), "frames 3..44"),
    ):
        said = f"(from another clip of this name: frames 3..32 there, {now} now)"
        assert_refused(run(*build, *other), "was built with another recipe", said, "--overwrite")
    assert run(*build, "--overwrite").json["built"] == 1
    assert run(*build, "--start", 0, "--frames", 45).json["kept"] == 1  # which is all of it
    assert_refused(run(*build, "--start", 40, "--frames", 6), "frames 40..45 are not in train/clip, which has 45")


# Readouts of spike files


@pytest.fixture(params=sorted(FORMATS))
def long(request, tmp_path):
    dense = np.random.default_rng(5).integers(0, 2, (60, 6, 10), np.uint8)
    write_spikes(tmp_path / f"long{request.param}", SpikeStream.from_dense(dense))
    return tmp_path / f"long{request.param}", dense


def test_part_of_a_spike_file_is_converted_and_shown(run, long, tmp_path):  # noqa: F811
    path, dense = long
    for words, part in (
        (("--start", 7, "--readouts", 40), slice(7, 47)), (("--start", 25), slice(25, 60)),
        (("--readouts", 30), slice(0, 30)),
    ):  # fmt: skip
        assert run("convert", path, tmp_path / "out.npy", *words, "--overwrite").code == 0
        assert np.array_equal(np.load(tmp_path / "out.npy"), dense[part])
        assert run("view", path, tmp_path / "out.png", *words, "--overwrite").code == 0
        expected = streams_sheet({"": read_spikes(path)[part]}, "tfp", 21, first=part.start)
        assert np.array_equal(read_image(tmp_path / "out.png"), expected)
    assert not np.array_equal(
        expected, streams_sheet({"": read_spikes(path)[part]}, "tfp", 21, first=9)
    )  # the captions
    for name in ("bad.npy", "bad.npz"):
        assert_refused(
            run("convert", path, tmp_path / name, "--start", 50, "--readouts", 11),
            "the readouts from start=50 to stop=61 are not among its 60",
        )
        assert not (tmp_path / name).exists()


def test_parts_of_dense_arrays_are_read_in_any_order(tmp_path):
    dense = np.random.default_rng(5).integers(0, 2, (60, 6, 10), np.uint8)
    np.savez(tmp_path / "a.npz", np.einsum("thw->wht", dense))
    stream = read_spikes(tmp_path / "a.npz", axes="WHT", start=5, stop=21)
    assert np.array_equal(stream.dense(), dense[5:21])


def test_a_part_of_what_is_no_spike_file_is_refused(run, tmp_path):  # noqa: F811
    frames = write_frames(tmp_path / "clip", 3)
    assert_refused(run("view", frames, tmp_path / "a.png", "--start", 1), "--start is for spike files")
    write_frames(tmp_path / "long", 29)
    assert run("build", tmp_path / "long", "--out", tmp_path / "out", "--interp", "linear", "--workers", 1).code == 0
    for path in (tmp_path / "out", tmp_path / "out/train/long.000.h5"):
        assert_refused(run("convert", path, tmp_path / "new", "--readouts", 1), "--readouts is for spike files")
