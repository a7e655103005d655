"""Interpolated frames on disk: folders and videos, made once, and refused where they are not ours."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from wave_clips import HEIGHT, WIDTH, WaveClip, content, expected, two_scenes, write, write_frames

from spikesim import files
from spikesim.errors import InputFileError, InvalidValueError, OutputError, SpikesimError
from spikesim_datasets.build import build_clips
from spikesim_datasets.clip_interpolation import interpolate_clip
from spikesim_datasets.interpolation import Interpolator
from spikesim_datasets.interpolation.linear import LinearInterpolator
from spikesim_datasets.progress import Progress
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.sources import open_clips
from spikesim_datasets.videos import FINE_CRF, write_video

# A folder of frames


def test_a_folder_holds_the_frames_and_those_between_by_their_names(tmp_path: Path) -> None:
    made = write(WaveClip(n_frames=3), tmp_path / "out")
    names = ["000000", "000000_000", "000000_001", "000001", "000001_000", "000001_001", "000002"]
    assert sorted(content(tmp_path / "out")) == [f"{name}.png" for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.json"]
    assert (made.output, made.frames, made.kept) == (tmp_path / "out", 7, 0)
    for name, frame in zip(names, expected(WaveClip(n_frames=3)), strict=True):
        np.testing.assert_array_equal(Image.open(tmp_path / "out" / f"{name}.png"), frame)


@pytest.mark.parametrize(("name", "factor"), [("flow", 8), ("linear", 1), ("linear", 13)])
def test_a_folder_is_read_back_in_order(tmp_path: Path, name: str, factor: int) -> None:
    clip = WaveClip(n_frames=12)
    write(clip, tmp_path / "out", interpolation=name, factor=factor)
    (back,) = open_clips([tmp_path / "out"])
    frames = expected(clip, factor, name)
    assert back.n_frames == len(frames) == 11 * factor + 1
    np.testing.assert_array_equal(list(back.frames(0, back.n_frames)), frames)


def test_a_dataset_of_an_interpolated_folder_is_that_of_its_source(tmp_path: Path) -> None:
    source = write_frames(tmp_path / "source" / "clip", 42, 48, 64)
    (clip,) = open_clips([source])
    folder = tmp_path / "interpolated" / "clip"  # its name is a part of the names of random numbers
    interpolate_clip(clip, folder)
    datasets = []
    for number, (place, name) in enumerate([(source, "flow"), (folder, "none")]):
        recipe = make_recipe((1, 2), interpolation=name, sharp="sequence")
        build_clips(open_clips([place]), tmp_path / str(number), recipe, workers=1)
        datasets.append(list(open_dataset(tmp_path / str(number), "train")))
    assert len(datasets[0]) == len(datasets[1]) == 2
    for direct, indirect in zip(*datasets, strict=True):
        assert direct.sharp_readouts == indirect.sharp_readouts
        np.testing.assert_array_equal(direct.blur, indirect.blur)
        np.testing.assert_array_equal(direct.sharp, indirect.sharp)
        for v_th, stream in direct.spikes.items():
            assert stream.counts().any()
            np.testing.assert_array_equal(stream.packed, indirect.spikes[v_th].packed)


def test_a_stretch_keeps_the_numbers_of_its_frames(tmp_path: Path) -> None:
    clip = WaveClip()
    assert write(clip, tmp_path / "out", start=3, frames=2).frames == 4
    assert clip.read == [3, 4]
    frames = expected(WaveClip())[9:13]
    for name, frame in zip(["000003", "000003_000", "000003_001", "000004"], frames, strict=True):
        np.testing.assert_array_equal(Image.open(tmp_path / "out" / f"{name}.png"), frame)
    write(WaveClip(), tmp_path / "rest", start=5)
    assert min(content(tmp_path / "rest")) == "000005.png"


# Running again


def test_an_interrupted_folder_is_finished_by_running_again(tmp_path: Path) -> None:
    cut = WaveClip(images=two_scenes, height=96, width=160)
    whole = write(cut, tmp_path / "whole")
    assert whole.diagnostics.cuts == [4]
    with pytest.raises(KeyboardInterrupt):
        write(replace(cut, interrupted_at=5), tmp_path / "out")
    before = content(tmp_path / "out")
    assert before.keys() < content(tmp_path / "whole").keys()  # so nothing temporary
    assert len(before) > 8
    (tmp_path / "out" / ".spikesim-other-machine.tmp").touch()
    again = write(cut, tmp_path / "out")
    assert (again.kept, again.frames) == (len(before), whole.frames)
    assert again.diagnostics == whole.diagnostics
    (tmp_path / "out" / ".spikesim-other-machine.tmp").unlink()
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_only_what_is_missing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(WaveClip(), tmp_path / "out")
    before = content(tmp_path / "out")
    for name in ("000000_001", "000002", "000004_000", "000004_001", "000005"):
        (tmp_path / "out" / f"{name}.png").unlink()
    kept = {path: path.stat().st_ino for path in (tmp_path / "out").iterdir()}
    asked: list[float] = []

    def between(self: Interpolator, frame0: np.ndarray, frame1: np.ndarray, times: list[float]) -> Iterator[np.ndarray]:
        asked.extend(times)
        return self._frames(frame0, frame1, times)  # type: ignore[attr-defined]

    monkeypatch.setattr(LinearInterpolator, "between", between)
    told: list[Progress] = []
    assert write(WaveClip(), tmp_path / "out", on_progress=told.append).kept == 14
    assert asked == [2 / 3, 1 / 3, 2 / 3]
    assert told == [Progress(14, 19), *(Progress(done, 19, "train/wave") for done in range(15, 20))]
    assert content(tmp_path / "out") == before
    assert kept.items() <= {path: path.stat().st_ino for path in (tmp_path / "out").iterdir()}.items()
    assert write(WaveClip(), tmp_path / "out").kept == 19
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("choices", "other"),
    [
        ({"factor": 2}, "factor"),
        ({"interpolation": "flow"}, "interpolation"),
        ({"start": 1}, "start, frames"),
        ({"frames": 4}, "frames"),
        ({"clip": WaveClip(n_frames=8)}, "source, frames"),
    ],
)
def test_frames_made_otherwise_are_refused_or_replaced(tmp_path: Path, choices: dict[str, Any], other: str) -> None:
    choices = {"clip": WaveClip(), "output": tmp_path / "out", **choices}
    write(WaveClip(), tmp_path / "out")
    (tmp_path / "out" / "notes.txt").touch()
    before = content(tmp_path / "out")
    with pytest.raises(OutputError, match=rf"made otherwise \(other {other}\).*--overwrite"):
        write(**choices)
    assert content(tmp_path / "out") == before
    assert write(**choices, overwrite=True).kept == 0
    write(**{**choices, "output": tmp_path / "fresh"})
    assert content(tmp_path / "out") == {**content(tmp_path / "fresh"), "notes.txt": b""}


def test_frames_are_not_given_up_before_the_first_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "out"
    write(WaveClip(n_frames=3), out)
    before = content(out), out.with_suffix(".json").read_bytes()
    monkeypatch.setattr(files, "flush_to_disk", full)
    with pytest.raises(
        OutputError, match=r"cannot write .*\.png: .*No space left on device; the older file of this name is"
    ):
        write(WaveClip(n_frames=4), out, start=1, frames=2, overwrite=True)
    monkeypatch.undo()
    assert (content(out), out.with_suffix(".json").read_bytes()) == before
    write(WaveClip(n_frames=4), out, start=1, frames=2, overwrite=True)
    write(WaveClip(n_frames=4), tmp_path / "fresh", start=1, frames=2)
    assert content(out) == content(tmp_path / "fresh")


NOT_OURS = ("{", "[]", '{"schema": "other"}', "[" * 10_000)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("held", "what"),
    [
        ({"out/000000.png": ""}, "out exists already and is no folder of interpolated frames"),
        *(({"out/interpolation.json": text}, "out exists already and is no folder of") for text in NOT_OURS),
        *(({"out.json": text}, r"out\.json exists already and does not describe interpolated") for text in NOT_OURS),
    ],
)
def test_what_is_something_else_is_never_written_to(
    tmp_path: Path, held: dict[str, str], what: str, overwrite: bool
) -> None:
    for name, text in held.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(OutputError, match=what):
        write(WaveClip(), tmp_path / "out", overwrite=overwrite)
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == held


@pytest.mark.parametrize("missing", [0, 1, 19])
def test_a_folder_that_holds_its_description_is_gone_on_with(tmp_path: Path, missing: int) -> None:
    """As earlier versions wrote it; other programs take the description for a frame."""
    out = tmp_path / "out"
    write(WaveClip(), out)
    whole = content(out)
    (tmp_path / "out.json").rename(out / "interpolation.json")
    for path in sorted(out.glob("*.png"))[:missing]:
        path.unlink()
    with pytest.raises(OutputError, match="made otherwise"):
        write(WaveClip(), out, factor=2)
    assert write(WaveClip(), out).kept == 19 - missing
    assert content(out) == whole
    assert (tmp_path / "out.json").is_file()


def test_a_folder_is_one_command_s_at_a_time(tmp_path: Path) -> None:
    def again(progress: Progress) -> None:
        with pytest.raises(OutputError, match="is being written by"):
            write(WaveClip(n_frames=3), tmp_path / "out")

    assert write(WaveClip(n_frames=2), tmp_path / "out", factor=1, on_progress=again).frames == 2
    assert sorted(content(tmp_path / "out")) == ["000000.png", "000001.png"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert write(WaveClip(), tmp_path / "out").frames == 19


# Videos


def decoded(path: Path) -> tuple[list[np.ndarray], av.VideoStream]:
    with av.open(str(path)) as container:
        return [p.to_ndarray(format="rgb24") for p in container.decode(video=0)], container.streams.video[0]


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".MP4"])
@pytest.mark.parametrize(("height", "width"), [(HEIGHT, WIDTH), (48, 64), (48, 65)])
def test_a_video_shows_the_frames(tmp_path: Path, extension: str, height: int, width: int) -> None:
    clip = WaveClip(height=height, width=width)
    made = write(clip, tmp_path / f"new/a{extension}", fps=25)
    frames, stream = decoded(made.output)
    assert (stream.average_rate, stream.height, stream.width) == (25, height, width)
    assert made.frames == len(frames) == 19
    for shown, frame in zip(frames, expected(clip), strict=True):
        # These colours change from pixel to pixel, which colour of half the resolution cannot.
        assert np.abs(shown.astype(int) - frame).mean() < (3 if height % 2 or width % 2 else 6)
    (back,) = open_clips([made.output])
    assert (back.n_frames, back.height, back.width) == (19, height, width)
    assert [path.name for path in made.output.parent.iterdir()] == [made.output.name]


@pytest.mark.parametrize("width", [16, 17])
@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40), (0, 0, 0), (255, 255, 255)])
def test_a_video_keeps_colours_and_says_what_its_numbers_mean(tmp_path: Path, width: int, colour: tuple[int]) -> None:
    clip = WaveClip(width=width, n_frames=2, images=lambda n, h, w: np.full((h, w, 3), colour, np.uint8))
    frames, stream = decoded(write(clip, tmp_path / "a.mp4").output)
    assert np.abs(frames[1].astype(int) - colour).max() <= 3
    assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (1, 1)  # BT.709, 16..235


def test_a_video_is_thirty_frames_a_second_and_replaces_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"old")
    assert decoded(write(WaveClip(), tmp_path / "a.mp4").output)[1].average_rate == Fraction(30)


ON_ONE_CORE = """
import os, sys
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
from test_interpolate import write_waves
write_waves(sys.argv[1])
"""


def write_waves(path: str) -> None:
    clip = WaveClip(n_frames=40, height=180, width=320)
    write_video(path, clip.frames(0, clip.n_frames), 30, FINE_CRF)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away")
def test_equal_frames_make_equal_videos_on_any_number_of_cores(tmp_path: Path) -> None:
    for number in range(3):
        write_waves(str(tmp_path / f"{number}.mp4"))
    command = [sys.executable, "-c", ON_ONE_CORE, str(tmp_path / "one.mp4")]
    subprocess.run(command, cwd=Path(__file__).parent, timeout=60, check=True)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_an_interrupted_video_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"old")
    for name in ("a.mp4", "b.mkv"):
        with pytest.raises(KeyboardInterrupt):
            write(WaveClip(interrupted_at=5), tmp_path / name)
    assert content(tmp_path) == {"a.mp4": b"old"}


# Refusals


@pytest.mark.parametrize("name", ["out", "out.mp4"])
@pytest.mark.parametrize(
    ("choices", "error", "what"),
    [
        ({"interpolation": "magic"}, InvalidValueError, "interpolator must be one of"),
        ({"interpolation": "none"}, InvalidValueError, "interpolator 'none' makes no frames between"),
        ({"interpolation": "rife"}, InputFileError, r"no weights of RIFE.*'flow' needs no weights"),
        ({"interpolation": 3}, InvalidValueError, "interpolation must be an InterpolatorSpec, got int"),
        ({"factor": 0}, InvalidValueError, "factor must be a whole number of at least 1"),
        ({"fps": 0}, InvalidValueError, "fps must be a whole number of at least 1 frames a second, got 0"),
        ({"start": 7}, InvalidValueError, "are not in train/wave, which has 7"),
        ({"start": 2, "frames": 6}, InvalidValueError, r"frames 2\.\.7 are not in train/wave"),
        ({"frames": 1}, InvalidValueError, "one frame has none to interpolate to; train/wave has 7, give 2 or more"),
        ({"start": 6}, InvalidValueError, "one frame has none to interpolate to"),
        ({"clip": WaveClip(n_frames=1)}, InvalidValueError, "one frame has none to interpolate to; train/wave has 1"),
        ({"clip": WaveClip(height=12), "interpolation": "flow"}, InvalidValueError, "optical flow needs frames of at"),
    ],
)
def test_what_is_meaningless_is_refused_and_nothing_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    choices: dict[str, Any],
    error: type[SpikesimError],
    what: str,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SPIKESIM_WEIGHTS", raising=False)
    with pytest.raises(error, match=what):
        write(**{"clip": WaveClip(), "output": tmp_path / name, **choices})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.webm", "a.avi", "a.gif", "a.PNG"])
def test_a_file_that_is_no_video_of_ours_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValueError, match=rf"{name}: videos are \.mp4, \.mov, \.mkv; for frames, give the name"):
        write(WaveClip(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    (tmp_path / "a.mp4").mkdir()
    for name in ("out", "a.mp4", "out/frames"):
        with pytest.raises(OutputError, match=name):
            write(WaveClip(), tmp_path / name)
    assert list((tmp_path / "a.mp4").iterdir()) == []
    assert (tmp_path / "out").read_bytes() == b""


def test_the_source_is_never_written_to(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "clip", 3)
    (frames,) = open_clips([folder])
    write(frames, tmp_path / "video.mp4")
    (video,) = open_clips([tmp_path / "video.mp4"])
    before = content(folder), (tmp_path / "video.mp4").read_bytes()
    (tmp_path / "link").symlink_to(folder)
    for clip, output in [
        (frames, folder), (frames, folder / "out"), (frames, tmp_path / "link" / "a.mp4"),
        (video, tmp_path / "video.mp4"),
    ]:  # fmt: skip
        with pytest.raises(InvalidValueError, match=r"lies in the source .* never written to"):
            write(clip, output, overwrite=True)
    assert (content(folder), (tmp_path / "video.mp4").read_bytes()) == before


@pytest.mark.parametrize("name", ["out", "a.mp4"])
def test_a_damaged_frame_is_named(tmp_path: Path, name: str) -> None:
    folder = write_frames(tmp_path / "clip", 6)
    (folder / "000004.png").write_bytes((folder / "000004.png").read_bytes()[:-300])
    (clip,) = open_clips([folder])
    with pytest.raises(InputFileError, match=r"000004\.png cannot be decoded"):
        write(clip, tmp_path / name)
    assert not list(tmp_path.rglob("*.tmp"))
    assert not (tmp_path / "a.mp4").exists()


FULL_DISK = """
import resource, sys
from spikesim.errors import OutputError
from spikesim_datasets.sources import open_clips
from spikesim_datasets.clip_interpolation import interpolate_clip
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
try:
    interpolate_clip(open_clips([sys.argv[1]])[0], sys.argv[2], interpolation="linear")
except OutputError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("name", ["out", "a.mp4", "a.mkv"])
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, name: str) -> None:
    source = write_frames(tmp_path / "clip", 12, 60, 80)
    command = [sys.executable, "-c", FULL_DISK, str(source), str(tmp_path / name)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert re.search(rf"cannot write .*{name}.*File too large", result.stderr)
    left = {path.name for path in tmp_path.rglob("*") if path.is_file() and path.parent != source}
    assert left == ({"out.json"} if name == "out" else set())
