"""Folders of frames: one whole series in its order, or the names of what is wrong."""

import random
from pathlib import Path

import numpy as np
import pytest
from commands import assert_refused, run  # noqa: F401
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from source_data import everything, noise, write_frames

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.sources import FrameClip, Reading, open_clips, open_gopro
from spikesim_datasets.sources.numbering import natural_order, order_of_names, whole_series

HERE = Path("frames")


def between(frames: int, most: int = 3) -> list[str]:
    """As an interpolator writes them: nothing behind the last."""
    names = [f"{frame:06d}_{number:03d}.png" for frame in range(frames - 1) for number in range(most)]
    return sorted([f"{frame:06d}.png" for frame in range(frames)] + names, key=lambda name: name.removesuffix(".png"))


WHOLE = {
    "one": ["7.png"],
    "no number": ["frame.png"],
    "without zeros": ["1.png", "2.png", "10.png"][:2] + [f"{i}.png" for i in range(3, 12)],
    "from anywhere": ["frame_0998.jpg", "frame_0999.jpg", "frame_1000.jpg"],
    "more digits than before": ["f99.png", "f100.png", "f101.png"],
    "every eighth": ["0.png", "8.png", "16.png", "24.png"],
    "several kinds of file": ["7.jpg", "8.PNG", "9.bmp"],
    "other numbers that stay": ["GOPR0372_07_00-000047.png", "GOPR0372_07_00-000048.png"],
    "seconds": ["1305031102.175304.png", "1305031102.211214.png", "1305031102.243211.png"],
    "fractions": ["1.10.png", "1.9.png", "2.70.png"],
    "parts of one second": [f"0.{f'{5 * i:03d}'.rstrip('0')}.png" for i in range(1, 60)],
    "parts of one second, rounded": ["0.5.png", "0.508333.png", "0.516667.png", "0.525.png"],
    "a counter behind a point": [f"shot1.{i}.png" for i in range(1, 30)],
    "nanoseconds": ["1403636579763555584.png", "1403636579813555456.png", "1403636579863555584.png"],
    "minus is no sign": ["a-1.png", "a-2.png", "a-3.png"],
    "a hyphen and zero": ["-000.png", "-001.png", "-002.png"],
    "a hyphen behind a hyphen": ["clip--1.png", "clip--2.png", "clip--3.png"],
    "dates": ["2024-01-05.png", "2024-01-06.png", "2024-01-07.png"],
    "milliseconds": ["0.png", "33.png", "67.png", "100.png", "133.png"],
    "hundredths of a second": ["0.00.png", "0.02.png", "0.04.png", "0.07.png", "0.09.png"],
    "frames between frames": between(4),
    "frames between two": between(2, 7),
}  # fmt: skip


@pytest.mark.parametrize("names", WHOLE.values(), ids=WHOLE)
def test_a_whole_series_is_in_the_order_of_its_numbers(names):
    mixed = names.copy()
    random.Random(0).shuffle(mixed)
    assert whole_series(HERE, mixed) == names


WRONG = {
    "a gap": (["1.png", "2.png", "4.png"], r"lacks frames between 2\.png and 4\.png, where motion"),
    "many gaps": ([f"{i}.png" for i in range(30) if i % 6 < 5],
                  r"between 4\.png and 6\.png, 10\.png and 12\.png, 16\.png and 18\.png and 1 more places"),
    "a gap before the last two": (["1.png", "3.png", "4.png"], r"between 1\.png and 3\.png"),
    "a counter that began again": (["f9998.png", "f9999.png", "f0000.png", "f0001.png"],
                                   r"between f0001\.png and f9998\.png, .* whose counter began again"),
    "twice": (["1.png", "2.png", "2.jpg"], r"holds the frame 2 twice, as 2\.jpg and 2\.png; take one away"),
    "twice with zeros": (["1.png", "01.png", "2.png"], r"holds the frame 1 twice, as 01\.png and 1\.png"),
    "one twice and no more": (["3.png", "3.jpg"], r"holds the frame 3 twice"),
    "a copy": (["0001.png", "0002.png", "0002 copy.png"], r"holds 2 series of frames, named like 0001\.png, 0002 copy"),
    "a copy with a number": (["1.png", "2.png", "2 (1).png"], "holds 2 series of frames"),
    "two eyes": (["left_1.png", "left_2.png", "right_1.png", "right_2.png"],
                 r"holds 2 series of frames, named like left_1\.png, right_1\.png; put each into a folder"),
    "two cameras": (["cam1_9.png", "cam1_10.png", "cam2_1.png"], r"several series of frames, as of cam1_9.* cam2_1"),
    "letters": (["a7.png", "a10.png", "b1.png"], "holds 2 series of frames"),
    "names": (["dog.png", "cat.png"], "holds 2 series of frames"),
    "a gap in seconds": (["1.10.png", "1.20.png", "1.40.png"], r"between 1\.20\.png and 1\.40\.png"),
    "a gap in parts of one second": (["0.005.png", "0.01.png", "0.02.png", "0.025.png"], "lacks frames between"),
    "a gap behind a point": (["a1.8.png", "a1.9.png", "a1.11.png"], r"between a1\.9\.png and a1\.11\.png"),
    "uneven times": ([f"{time:.4f}.png" for time in (0, 0.01, 0.02, 0.03, 0.04, 0.0545, 0.069, 0.0835, 0.098)],
                     r"0\.0400\.png and 0\.0545\.png are 1\.45 times as far apart as 0\.0000\.png and 0\.0100\.png"),
    "an uneven counter": (["2.png", "4.png", "6.png", "9.png", "11.png"],
                          r"uneven steps: 6\.png and 9\.png are 1\.5 times as far apart as 2\.png and 4\.png; rename"),
    "a wandering clock": ([f"{i / 30 + i * i / 60_000:.6f}.png" for i in range(100)], "whose differences add up:"),
    "a wandering number of 200 digits": ([f"{i}{'0' * 200}.png" for i in (10, 20, 30, 44, 58, 72)], "in uneven steps"),
    "negative": (["-003.png", "-002.png", "-001.png"], r"like -001\.png, and nobody knows whether .* is a minus"),
    "negative behind a point": (["f.-12.png", "f.-11.png", "f.-10.png"], r"like f\.-10\.png, and nobody knows"),
    "negative behind a number": (["cam1_-2.png", "cam1_-1.png"], r"like cam1_-1\.png, and nobody knows"),
    "negative fractions": (["-0.3.png", "-0.2.png", "-0.1.png"], r"like -0\.1\.png, and nobody knows"),
    "from below zero": (["-1.png", "0.png", "1.png"], "holds 2 series of frames"),
    "a frame between is gone": ([name for name in between(4) if name != "000001_001.png"],
                                r"lacks frames after 000001\.png: it has 2 there and up to 3 elsewhere"),
    "a frame is gone": ([name for name in between(4) if name != "000001.png"],
                        r"lacks frames between 000000\.png and 000002\.png"),
    "the first frame is gone": ([name for name in between(4) if name != "000000.png"],
                                r"lacks the frame that 000000_000\.png comes after"),
    "the last is not finished": ([*between(3), "000002_000.png"], r"after 000002\.png: it has 1 there and up to 3"),
}  # fmt: skip


@pytest.mark.parametrize(("names", "what"), WRONG.values(), ids=WRONG)
def test_what_is_no_whole_series_is_named(names, what):
    with pytest.raises(InputFileError, match=f"^frames .*{what}.* or take them in .* --numbering ignore$"):
        whole_series(HERE, names)


@given(
    first=st.integers(0, 10**12), step=st.integers(1, 1000), count=st.integers(3, 40), width=st.integers(1, 20),
    lost=st.integers(1, 10**6), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_series_is_whole_until_a_frame_is_taken_out(first, step, count, width, lost, seed):
    names = [f"take 3_{first + step * i:0{width}d}.png" for i in range(count)]
    mixed = random.Random(seed).sample(names, count)
    assert whole_series(HERE, mixed) == names
    inner = 1 + lost % (count - 2)
    del names[inner]
    if count > 3:  # of two frames nobody knows how far apart they should be
        with pytest.raises(InputFileError, match="lacks frames between"):
            whole_series(HERE, names)


@given(rate=st.floats(1, 300), begin=st.floats(0, 9), count=st.integers(3, 200), digits=st.integers(3, 9))
def test_rounded_times_are_even_until_the_rate_changes(rate, begin, count, digits):
    names = [f"{begin + number / rate:.{digits}f}.png" for number in range(count)]
    assert whole_series(HERE, names[::-1]) == names
    slower = [f"{begin + (count + 1.4 * number) / rate:.{digits}f}.png" for number in range(count)]
    if count > 5:
        with pytest.raises(InputFileError, match=r"in uneven steps|lacks frames between"):
            whole_series(HERE, names + slower)


IGNORED = {
    "parts of one second": ["0.005.png", "0.01.png", "0.015.png", "0.1.png", "0.105.png"],
    "seconds and fractions": ["t9.9s.png", "t9.95s.png", "t10.005s.png", "t10.1s.png"],
    "a counter behind a point": ["shot1.8.png", "shot1.9.png", "shot1.11.png"],
    "a counter with zeros behind a point": ["shot1.08.png", "shot1.09.png", "shot1.100.png"],
    "scenes and frames": ["1.9.png", "1.10.png", "2.1.png"],
    "several series": ["a0.1.png", "a0.015.png", "b1.png"],
    "a hyphen": ["-1.png", "-2.png"],
}  # fmt: skip


@pytest.mark.parametrize("names", IGNORED.values(), ids=IGNORED)
def test_what_is_no_series_is_in_the_order_of_names(names):
    mixed = names.copy()
    random.Random(1).shuffle(mixed)
    assert order_of_names(mixed) == names


@given(st.lists(st.from_regex(r"[ab]?[0-9]{0,3}([._-][0-9]{0,2})?", fullmatch=True), min_size=1, unique=True))
def test_nothing_is_doubled_or_left_out(stems):
    names = [f"{stem}.png" for stem in stems if stem]
    if not names:
        return
    assert sorted(natural_order(names)) == sorted(names)
    assert sorted(order_of_names(names)) == sorted(names)
    try:
        series = whole_series(HERE, names)
    except InputFileError:
        return
    assert sorted(series) == sorted(names)


def write_named(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        Image.fromarray(noise(number)).save(folder / name)
    return folder


def test_a_clip_is_refused_or_read_in_natural_order(tmp_path):
    names = ["2.png", "9.png", "10.png"]
    folder = write_named(tmp_path / "walk", names)
    for opening in (lambda: open_clips([folder]), lambda: FrameClip.open(folder, "train", "a", folder)):
        with pytest.raises(InputFileError, match=r"walk lacks frames between 2\.png and 9\.png"):
            opening()
    (clip,) = open_clips([folder], reading=Reading(numbering="ignore"))
    assert clip.names == tuple(names)
    assert np.array_equal(everything(clip), [noise(number) for number in range(3)])


def test_an_ignored_series_of_times_is_read_in_their_order(tmp_path):
    names = ["0.005.png", "0.01.png", "0.0245.png", "0.1.png"]
    (clip,) = open_clips([write_named(tmp_path / "walk", names)], reading=Reading(numbering="ignore"))
    assert clip.names == tuple(names)
    assert np.array_equal(everything(clip), [noise(number) for number in range(4)])


def test_gopro_is_checked_as_well(tmp_path):
    write_frames(tmp_path / "train" / "GOPR0372_07_00", 5)
    (tmp_path / "train" / "GOPR0372_07_00" / "000002.png").unlink()
    with pytest.raises(InputFileError, match=r"GOPR0372_07_00 lacks frames between 000001\.png and 000003\.png"):
        open_gopro(tmp_path)
    assert [clip.n_frames for clip in open_gopro(tmp_path, Reading(numbering="ignore"))] == [4]


def test_photos_of_a_folder_are_no_series(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("IMG_1.png", "IMG_7.png", "beach.jpg"):
        Image.fromarray(noise(0, 72, 80)).save(folder / name)
    assert [clip.name for clip in open_clips([f"photo:{folder}"])] == ["IMG_1", "IMG_7", "beach"]


def test_a_reading_there_is_not_is_refused():
    with pytest.raises(InvalidValueError, match="numbering must be one of 'refuse', 'ignore', got 'sort'"):
        Reading(numbering="sort")
    with pytest.raises(InvalidValueError, match="reading must be"):
        open_clips([], reading="ignore")


@pytest.mark.parametrize("command", ["build", "simulate", "interpolate", "interpolate --check"])
def test_commands_refuse_and_have_the_way_out(run, tmp_path, command):  # noqa: F811
    folder = write_named(tmp_path / "walk", [f"{i}.png" for i in (*range(8), *range(9, 30))])
    outputs = {
        "build": ("--out", tmp_path / "out"),
        "simulate": (tmp_path / "a.npz",),
        "interpolate": (tmp_path / "f",),
    }
    name, *check = command.split()
    arguments = (name, folder, *check, *(() if check else outputs[name]), "--interp", "linear")
    assert_refused(run(*arguments), "walk lacks frames between 7.png and 9.png", "--numbering ignore")
    assert set(tmp_path.iterdir()) == {folder}
    result = run(*arguments, "--numbering", "ignore")
    assert result.code == 0, result.err
