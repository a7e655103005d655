"""Recordings: an image and its spikes, and the files that are made of them."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import deblurring_data
import numpy as np
import pytest
import torch
from deblurring_data import (
    EXPOSURE,
    HEIGHT,
    PLAN,
    WIDTH,
    content,
    pixels,
    scene,
)
from PIL import Image

from spikesim import SpikeStream, files
from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim_datasets.build import build_clips
from spikesim_datasets.image_files import write_gif
from spikesim_datasets.progress import Progress
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.sources import DemoClip
from ssdm_models import recordings
from ssdm_models.deblur import TorchDeblurrer, deblur_frames
from ssdm_models.exposure_times import frame_times
from ssdm_models.ldn import LDN
from ssdm_models.recordings import BlurryRecording, deblur_recording, read_recording

ldn, recorded = deblurring_data.ldn, deblurring_data.recorded

# Recordings


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("spikes.npz", {}),
        ("spikes.npy", {}),
        ("spikes.h5", {}),
        ("spikes.dat", {}),
        ("bare.dat", {}),
        ("bare.dat", {"height": 9, "width": 13}),
        ("wide.dat", {"header_columns": 3, "flip": False}),
    ],
)
def test_a_recording_is_read(recorded: Path, name: str, options: dict[str, Any]) -> None:
    recording = read_recording(recorded / "blur.png", recorded / name, **options)
    np.testing.assert_array_equal(recording.blur, scene().blur)
    np.testing.assert_array_equal(recording.spikes.packed, scene().spikes.packed)


def test_recordings_that_do_not_belong_together(recorded: Path) -> None:
    def refused(blur: str, spikes: str, message: str, **options: Any) -> None:
        with pytest.raises((InputFileError, InvalidValueError), match=message):
            read_recording(recorded / blur, recorded / spikes, **options)

    for name, size in (("odd.png", (52, 38)), ("half.png", (26, 18)), ("large.png", (400, 400))):
        Image.new("RGB", size).save(recorded / name)
    Image.fromarray(np.zeros((36, 52), np.uint16)).save(recorded / "deep.png")
    (recorded / "cut.png").write_bytes((recorded / "blur.png").read_bytes()[:-500])
    refused("none.png", "bare.dat", "none.png does not exist")
    refused("blur.png", "none.dat", "none.dat does not exist")
    refused("cut.png", "bare.dat", "cut.png cannot be decoded")
    refused("deep.png", "bare.dat", "more than 8 bits a channel")
    refused("bare.dat", "blur.png", "bare.dat is a spike file; the image comes first")
    refused("blur.png", "blur.png", r"blur.png is an image or a video, not the spikes")
    refused("odd.png", "bare.dat", "odd.png is 52×38; .* multiples of 4; crop it")
    refused("large.png", "bare.dat", r"bare.dat has \d+ bytes, no multiple .*\. 100×100 is a quarter of .*large.png")
    for name in ("spikes.npz", "spikes.h5", "spikes.dat"):
        refused("large.png", name, "holds spikes of 13×9, but .*large.png is 400×400, a quarter of which is 100×100")
    refused("large.png", "bare.dat", "holds spikes of 13×9", height=9, width=13)
    refused("half.png", "bare.dat", "half.png is 26×18")
    refused("blur.png", "bare.dat", "height and width go together", height=9)


def test_samples_of_a_dataset_are_to_be_exported(tmp_path: Path, recorded: Path) -> None:
    clip = DemoClip("train", "desk", "desk", 29, 64, 64)
    build_clips([clip], tmp_path / "data", make_recipe((1,), interpolation="linear"), workers=1)
    for path, kind in ((tmp_path / "data", "dataset"), (tmp_path / "data/train/desk.000.h5", "shard")):
        with pytest.raises(InputFileError, match=f"is a {kind}, not the spikes .* `spikesim convert DATASET FOLDER`"):
            read_recording(recorded / "blur.png", path)


# Files


def write(ldn: LDN, output: Path, recording: BlurryRecording | None = None, **choices: Any) -> recordings.Deblurred:
    return deblur_recording(TorchDeblurrer(ldn), recording or scene(), output, **{"exposure": EXPOSURE, **choices})


def expected(ldn: LDN, times: tuple[int, ...]) -> list[np.ndarray]:
    return list(deblur_frames(ldn, *scene(), times, EXPOSURE))


def test_a_folder_holds_an_image_for_each_time(ldn: LDN, tmp_path: Path) -> None:
    made = write(ldn, tmp_path / "new/out")
    times = frame_times(30, 5, (5, 25))
    assert (made.times, made.kept, len(times)) == (times, 0, 7)
    assert made.files == tuple(tmp_path / f"new/out/{time:06d}.png" for time in times)
    assert set(content(tmp_path / "new/out")) == {path.name for path in made.files}
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"out", "out.json"}
    for path, frame in zip(made.files, expected(ldn, times), strict=True):
        np.testing.assert_array_equal(pixels(path), frame)
    assert write(ldn, tmp_path / "at", exposure=None, at=[20, 9, 20]).times == (20, 9)


def test_an_image_shows_the_middle_or_the_time_asked_for(ldn: LDN, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    for choices, time in (({}, 14), ({"at": [3]}, 3), ({"frames": 1}, 14)):
        made = write(ldn, tmp_path / "a.png", **choices)
        assert (made.files, made.times) == ((tmp_path / "a.png",), (time,))
        np.testing.assert_array_equal(pixels(tmp_path / "a.png"), expected(ldn, (time,))[0])
    assert list(tmp_path.iterdir()) == [tmp_path / "a.png"]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "A.MP4"])
def test_a_video_shows_the_frames(ldn: LDN, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    recording = BlurryRecording(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), scene().spikes)
    made = write(ldn, tmp_path / name, recording, frames=4, fps=25)
    with av.open(str(tmp_path / name)) as video:
        assert video.streams.video[0].average_rate == 25
        shown_frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(shown_frames) == 4
    for frame, exact in zip(shown_frames, deblur_frames(ldn, *recording, made.times, EXPOSURE), strict=True):
        assert np.abs(frame.astype(int).mean((0, 1)) - exact.mean((0, 1))).max() < 4
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_a_gif_shows_the_frames_over_and_over(ldn: LDN, tmp_path: Path) -> None:
    made = write(ldn, tmp_path / "a.gif", frames=4)
    with Image.open(tmp_path / "a.gif") as video:
        assert (video.n_frames, video.info["loop"], video.info["duration"]) == (4, 0, 1000 // recordings.FPS)
        for number, exact in enumerate(expected(ldn, made.times)):
            video.seek(number)
            assert np.abs(np.asarray(video.convert("RGB")).astype(int) - exact).mean() < 20
    with pytest.raises(InvalidValueError, match="a GIF shows 1 to 50 frames a second, got fps=51"):
        write(ldn, tmp_path / "b.gif", fps=51)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]


class Interrupted(LDN):
    """Ctrl-C is hit after some frames."""

    left = 3

    def fuse(self, *arguments: Any) -> torch.Tensor:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().fuse(*arguments)


def interrupted(ldn: LDN) -> Interrupted:
    network = Interrupted(ldn.length)
    network.load_state_dict(ldn.state_dict())
    return network


def test_an_interrupted_folder_is_finished_by_running_again(ldn: LDN, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(interrupted(ldn), tmp_path / "out")
    before = content(tmp_path / "out")
    assert 2 <= len(before) <= 3
    told: list[Progress] = []
    made = write(ldn, tmp_path / "out", on_progress=told.append)
    assert (made.kept, len(made.files)) == (len(before), 7)
    assert told == [Progress(done, 7) for done in range(made.kept, 8)]
    write(ldn, tmp_path / "whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert before.items() <= content(tmp_path / "out").items()
    told.clear()
    assert write(ldn, tmp_path / "out", on_progress=told.append).kept == 7
    assert told == [Progress(7, 7)]


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.mkv"])
def test_an_interrupted_video_leaves_what_was_there(ldn: LDN, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    for output in (tmp_path / name, tmp_path / f"new_{name}"):
        with pytest.raises(KeyboardInterrupt):
            write(interrupted(ldn), output)
    assert content(tmp_path) == {name: b"old"}


def test_frames_made_otherwise_are_refused_or_replaced(ldn: LDN, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(ldn, out)
    (out / "notes.txt").touch()
    other = scene()
    flipped = BlurryRecording(other.blur[::-1], other.spikes)
    darker = BlurryRecording(other.blur, SpikeStream(other.spikes.packed & np.uint8(1), other.spikes.width))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        stranger = LDN(5)
    for network, recording, choices, what in (
        (ldn, other, {"frames": 3}, "readouts"),
        (ldn, other, {"exposure": (5, 24)}, "readouts, exposure"),
        (ldn, flipped, {"frames": 3}, "blur, readouts, exposure"),
        (ldn, darker, {}, "spikes, readouts"),
        (stranger, darker, {}, "network, readouts"),
    ):
        before = content(out)
        if choices == {}:
            choices = {"frames": 4 if what.startswith("spikes") else 2}
        with pytest.raises(OutputError, match=rf"made otherwise \(other .*{what}\).*--overwrite"):
            write(network, out, recording, **choices)
        assert content(out) == before
        assert write(network, out, recording, overwrite=True, **choices).kept == 0
        write(network, tmp_path / "fresh", recording, overwrite=True, **choices)
        assert content(out) == {**content(tmp_path / "fresh"), "notes.txt": b""}


def test_frames_are_not_given_up_before_the_first_new_one_is_whole(
    ldn: LDN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "out"
    write(ldn, out, frames=2)
    before = content(out), out.with_suffix(".json").read_bytes()
    monkeypatch.setattr(files, "flush_to_disk", full)
    with pytest.raises(OutputError, match=r"cannot write .*0009\.png: .*No space left on device$"):
        write(ldn, out, at=(9, 11), overwrite=True)
    monkeypatch.undo()
    assert (content(out), out.with_suffix(".json").read_bytes()) == before
    write(ldn, out, at=(9, 11), overwrite=True)
    write(ldn, tmp_path / "fresh", at=(9, 11))
    assert content(out) == content(tmp_path / "fresh")


@pytest.mark.parametrize(
    "held", [{"000005.png": ""}, {"deblurring.json": "{"}, {"deblurring.json": '{"schema": "other"}'}]
)
def test_a_folder_of_something_else_is_never_written_to(ldn: LDN, tmp_path: Path, held: dict[str, str]) -> None:
    for name, text in held.items():
        (tmp_path / name).write_text(text)
    before = content(tmp_path)
    with pytest.raises(OutputError, match="exists already and is no folder of deblurred frames"):
        write(ldn, tmp_path, overwrite=True)
    assert content(tmp_path) == before


def test_a_folder_that_holds_its_description_is_gone_on_with(ldn: LDN, tmp_path: Path) -> None:
    """As earlier versions wrote it."""
    (first, *others) = write(ldn, tmp_path / "out").files
    whole = content(tmp_path / "out")
    (tmp_path / "out.json").rename(tmp_path / "out" / "deblurring.json")
    first.unlink()
    assert write(ldn, tmp_path / "out").kept == len(others)
    assert content(tmp_path / "out") == whole
    assert (tmp_path / "out.json").is_file()


@pytest.mark.parametrize("name", ["out", "a.mp4", "a.gif", "a.png"])
@pytest.mark.parametrize(
    ("choices", "what"),
    [
        ({"exposure": None}, "of its 30 readouts the image was exposed in|is not known"),
        ({"exposure": None, "at": [28]}, "around 28 .* outside"),
        ({"frames": 0}, "has no 0 different times"),
        ({"exposure": (0, 30), "frames": 31}, "has no 31 different times"),
        ({"exposure": (0, 3), "frames": 1}, "not from 1 to 1; give --exposure 2 3|give a recording"),
        ({"fps": 0}, "fps must be a whole number of at least 1, got 0"),
        ({"tile": 8}, "tile must be at least 64 pixels"),
        ({"frame": 2}, "there is no option 'frame'; options are at, exposure, fps, frames, tile"),
        ({"recording": BlurryRecording(scene(40).blur, scene().spikes)}, "a quarter of the blurry image, 52×40"),
    ],
)
def test_what_is_meaningless_is_refused_and_nothing_written(
    ldn: LDN, tmp_path: Path, name: str, choices: dict[str, Any], what: str
) -> None:
    with pytest.raises(InvalidValueError, match=what):
        write(ldn, tmp_path / name, **choices)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(ldn: LDN, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    for name in ("a.png", "a.mp4", "a.gif"):
        (tmp_path / name).mkdir()
    for name in ("out", "out/a.png", "a.png", "a.mp4", "a.gif"):
        with pytest.raises(OutputError, match=name):
            write(ldn, tmp_path / name)
    for name in ("a.jpg", "a.webm", "a.avi", "a.TIFF"):
        with pytest.raises(
            InvalidValueError, match=rf"{name}: an image is \.png, a video \.mp4, \.mov, \.mkv or \.gif"
        ):
            write(ldn, tmp_path / name)
    for choices in ({"frames": 2}, {"exposure": None, "at": [3, 4]}):
        with pytest.raises(InvalidValueError, match=r"b\.png is one image, not 2 frames"):
            write(ldn, tmp_path / "b.png", **choices)
    assert sorted(content_of_files(tmp_path)) == ["out"]


def content_of_files(folder: Path) -> Iterator[str]:
    return (path.name for path in folder.rglob("*") if path.is_file())


def test_a_full_disk_leaves_no_half_gif(tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield scene().blur
        raise OSError("No space left on device")

    with pytest.raises(OutputError, match=r"cannot write .*a\.gif: No space left"):
        write_gif(tmp_path / "a.gif", frames(), 10)
    assert list(tmp_path.iterdir()) == []


SMALL_DISK = """
import resource, signal, sys
import numpy as np
from spikesim_datasets.image_files import write_gif
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
write_gif(sys.argv[1], np.random.default_rng(0).integers(0, 256, (20, 64, 96, 3), np.uint8), 10)
"""


def test_a_gif_on_a_full_disk_fails_once(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, tmp_path / "a.gif"], capture_output=True, text=True, check=False
    )
    assert ended.stderr.splitlines()[-1].startswith(f"spikesim.errors.OutputError: cannot write {tmp_path / 'a.gif'}")
    assert "ignored" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_description_says_of_what_frames_are_made(ldn: LDN, tmp_path: Path) -> None:
    write(ldn, tmp_path / "out", exposure=None, at=[9, 20])
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["schema"] == recordings.SCHEMA
    assert record["readouts"] == [9, 20]
    assert record["exposure"] == [0, 30]  # nothing is known of it
    write(ldn, tmp_path / "long", scene(readouts=PLAN.stream_length), exposure=None, at=[9])
    assert json.loads((tmp_path / "long.json").read_text())["exposure"] == list(PLAN.exposure)
