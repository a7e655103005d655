"""Deblurring: tiles that give what one piece gives, times, students from any file, and recordings to frames."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import click
import numpy as np
import pytest
import torch
from child_memory import PEAK
from golden_weights import rebuilt
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_cli import Run, assert_refused, command, shown
from test_cli import run as run_fixture

from spikesim import SpikeCamera, SpikeStream, write_spikes
from spikesim.errors import InputFileError, InvalidValueError, MissingExtraError, OutputError, SpikesimError
from spikesim_cli.extras import needs_ssdm
from spikesim_datasets.build import build_clips
from spikesim_datasets.encoding import write_gif
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.sources import DemoClip
from ssdm_models import deblur, recordings, tiles
from ssdm_models.bsn import BSN
from ssdm_models.checkpoints import load_released, save
from ssdm_models.deblur import deblur_frames, deblur_sequence, frame_times
from ssdm_models.ldn import LDN
from ssdm_models.recordings import DESCRIPTION, BlurryRecording, deblur_recording, read_recording
from ssdm_models.released import slots
from ssdm_models.students import load_student

run = run_fixture
PLAN = ExposurePlan()
HEIGHT, WIDTH = 36, 52
EXPOSURE = (5, 25)


@pytest.fixture(scope="module")
def ldn() -> LDN:
    """A network whose images vary by far more than rounding, near and far."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = LDN(readouts=5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 1.5
    return network.eval()


def scene(height: int = HEIGHT, width: int = WIDTH, readouts: int = 30) -> BlurryRecording:
    rng = np.random.default_rng(1)
    spikes = rng.integers(0, 2, (readouts, height // 4, width // 4), np.uint8)
    return BlurryRecording(rng.integers(0, 256, (height, width, 3), np.uint8), SpikeStream.from_dense(spikes))


def tensors(recording: BlurryRecording) -> tuple[torch.Tensor, torch.Tensor]:
    blur = torch.from_numpy(recording.blur).permute(2, 0, 1).float() / 255
    return blur, torch.from_numpy(recording.spikes.dense(np.float32))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


# Tiles


def difference(network: LDN, height: int, width: int, tile: int) -> float:
    """How much tiles change, at most."""
    blur, spikes = tensors(scene(height, width, 7))
    whole = deblur_sequence(network, blur, spikes, [2, 4], (0, 7))
    assert whole.shape == (2, 3, height, width)
    assert whole.std() > 0.1
    return float((deblur_sequence(network, blur, spikes, [2, 4], (0, 7), tile) - whole).abs().max())


@settings(max_examples=12)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(64, 140))
def test_tiles_give_what_one_piece_gives(ldn: LDN, height: int, width: int, tile: int) -> None:
    assert difference(ldn, 4 * height, 4 * width, tile) < 1e-6


@pytest.mark.parametrize(("name", "value"), [("_RENDERING", 8), ("_ENCODERS", 1)])
def test_a_narrower_margin_would_show(ldn: LDN, monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    monkeypatch.setattr(tiles, name, value)
    assert difference(ldn, 148, 212, 64) > 1e-5


def test_statistics_of_a_tile_would_show(ldn: LDN) -> None:
    blur, spikes = tensors(scene(148, 212))
    whole = deblur_sequence(ldn, blur, spikes, [9], EXPOSURE)[0]
    part = deblur_sequence(ldn, blur[:, :, :140], spikes[:, :, :35], [9], EXPOSURE)[0]
    assert (part[:, :, :80] - whole[:, :, :80]).abs().max() > 1e-5  # far from where it was cut


def test_tiles_of_the_released_network(shared: Path) -> None:
    network = load_student(shared / "weights" / "DeblurNet_100.pth").network
    with np.load(shared / "golden" / "ldn.npz") as file:
        blur, spikes, expected = (torch.from_numpy(file[name])[0] for name in ("blur", "spikes", "released_output"))
    # Golden images are BGR.
    with torch.inference_mode():
        sharp = tiles.TiledDeblurring(network, blur.flip(0)[None], 64)(spikes[None])[0].flip(0)
    torch.testing.assert_close(sharp, expected, rtol=0, atol=1e-4)


def test_large_images_are_computed_in_tiles(ldn: LDN, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = []

    class Spy(tiles.TiledDeblurring):
        def __init__(self, network: LDN, blur: torch.Tensor, side: int) -> None:
            sides.append(side)
            super().__init__(network, blur, side)

    monkeypatch.setattr(deblur, "TiledDeblurring", Spy)
    recording = scene(132, 80)
    for large in (132 * 80, 132 * 80 - 1):
        monkeypatch.setattr(deblur, "LARGE", large)
        deblur_sequence(ldn, *tensors(recording), [9], EXPOSURE)
        list(deblur_frames(ldn, *recording, [9], EXPOSURE))
    assert sides == [512, 512]
    deblur_sequence(ldn, *tensors(recording), [9], EXPOSURE, tile=80)
    assert sides[2:] == [80]
    with pytest.raises(InvalidValueError, match="tile must be at least 64 pixels, got 63"):
        deblur_sequence(ldn, *tensors(recording), [9], EXPOSURE, tile=63)


def test_every_tile_of_the_blurry_image_is_encoded_once(ldn: LDN) -> None:
    calls = []
    hook = ldn.blur_encoder.register_forward_hook(lambda *_: calls.append(1))
    deblur_sequence(ldn, *tensors(scene(100, 140)), [4, 9, 14, 20], EXPOSURE, tile=64)
    hook.remove()
    assert len(calls) == 2 * 3


MEMORY = f"""{PEAK}
import numpy as np, torch
from spikesim import SpikeStream
from ssdm_models.deblur import deblur_frames
from ssdm_models.ldn import LDN
torch.set_num_threads(1)
network = LDN(readouts=5)
def peak_of(height, width, tile=None):
    spikes = SpikeStream(np.zeros((6, height // 4, width // 32), np.uint8), width // 4)
    for _ in deblur_frames(network, np.zeros((height, width, 3), np.uint8), spikes, [2], (0, 6), tile):
        pass
    return peak()
start = peak_of(64, 64)
tiled = peak_of(1024, 1024, 128)
print(tiled - start, peak_of(1024, 1024) - start)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_tiles_take_less_memory() -> None:
    result = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    tiled, whole = map(int, result.stdout.split())
    assert whole > 2.5 * tiled


def test_exhausted_memory_is_explained(ldn: LDN, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, explained in ((RuntimeError("can't allocate memory: you tried"), True), (RuntimeError("bug"), False)):

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(ldn, "render", fail)
        with pytest.raises(InvalidValueError if explained else RuntimeError, match=r"52×36.*--tile 64|bug"):
            list(deblur_frames(ldn, *scene(), [9], EXPOSURE))


# Light


def test_frames_are_made_of_light_whatever_the_threshold(ldn: LDN) -> None:
    """Every spike twice as far apart, and the picture the same: each spike is twice the light."""
    recording = scene(readouts=60)
    thinned = recording.spikes.packed.copy()
    thinned[::2] = 0
    gains = []

    class Spy(LDN):
        def encode_spikes(self, spikes: torch.Tensor) -> torch.Tensor:
            gains.append(float(spikes.max()))
            return super().encode_spikes(spikes)

    for stream in (recording.spikes, SpikeStream(thinned, recording.spikes.width)):
        list(deblur_frames(Spy(5), recording.blur, stream, [30], (10, 50)))
        dense = stream.dense(np.float32)[10:50]
        grey = (recording.blur @ np.array([0.30, 0.59, 0.11])).mean() / 255
        assert abs(gains[-1] * dense.mean() - grey) < 1e-5
    assert gains[1] > 1.9 * gains[0]


# Frames


def test_frames_are_the_rounded_images_of_a_sequence(ldn: LDN) -> None:
    recording = scene()
    frames = list(deblur_frames(ldn, *recording, [3, 20, 9], EXPOSURE))
    images = deblur_sequence(ldn, *tensors(recording), [3, 20, 9], EXPOSURE)
    assert images.min() < 0 or images.max() > 1  # there is something to clip
    for frame, image in zip(frames, images, strict=True):
        assert (frame.dtype, frame.shape) == (np.uint8, (HEIGHT, WIDTH, 3))
        exact = 255 * image.permute(1, 2, 0).clamp(0, 1).numpy()
        assert np.abs(frame - exact).max() < 0.501


def test_only_the_spikes_around_a_time_are_unpacked(ldn: LDN, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = []
    to_torch = deblur.to_torch
    monkeypatch.setattr(deblur, "to_torch", lambda part, device: unpacked.append(len(part)) or to_torch(part, device))
    frames = deblur_frames(ldn, *scene(readouts=300), [9, 200], EXPOSURE)
    assert unpacked == []
    next(frames)
    assert unpacked == [5]


def test_frames_that_cannot_be_made_are_refused_at_once(ldn: LDN) -> None:
    recording = scene()
    with pytest.raises(InvalidValueError, match=r"around 28 .* outside the spikes' 0\.\.29; choose times from 2 to 27"):
        deblur_frames(ldn, *recording, [9, 28], EXPOSURE)
    with pytest.raises(InvalidValueError, match="a quarter of the blurry image, 48×36"):
        deblur_frames(ldn, recording.blur[:, :48], recording.spikes, [9], EXPOSURE)


# Times


def test_times_are_those_of_the_ground_truth_where_nothing_is_said() -> None:
    assert frame_times(PLAN.stream_length, 21) == PLAN.sharp_readouts("sequence")
    assert frame_times(PLAN.stream_length, 21, frames=1) == PLAN.sharp_readouts("middle")
    assert frame_times(200, 21, PLAN.exposure) == PLAN.sharp_readouts("sequence")
    assert frame_times(21, 21, (10, 11), 1) == (10,)
    assert frame_times(30, 21, (10, 14), 1) == (11,)


@given(st.integers(0, 50), st.integers(2, 300), st.data())
def test_times_go_evenly_from_the_first_readout_to_the_last(start: int, length: int, data: st.DataObject) -> None:
    frames = data.draw(st.integers(2, length))
    times = frame_times(start + length + 20, 7, (start + 5, start + 5 + length), frames)
    assert len(times) == frames
    assert (times[0], times[-1]) == (start + 5, start + 4 + length)
    gaps = np.diff(times)
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1 + (frames > 2)  # both ends of a gap are rounded


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((136, 21), r"of its 136 readouts .* not known, only of streams of 137; .* such as --exposure 20 117, .*--at"),
        ((137, 21, (97, 20)), r"from 97 to before 20 is empty or not in the stream, whose readouts are 0\.\.136"),
        ((137, 21, (20, 20)), "from 20 to before 20 is empty"),
        ((137, 21, (-1, 20)), "from -1 to before 20 is empty or not in"),
        ((137, 21, (20, 138)), "from 20 to before 138 is empty or not in"),
        ((137, 21, (20, 26)), "an exposure of 6 readouts has no 7 different times; give fewer"),
        ((137, 21, (20, 26), 0), "has no 0 different times"),
        ((97, 21, (0, 97)), r"looks at 21 readouts .* of 97 it can show .* 10 to 86, not from 0 to 96; give --exposure "
                            r"10 87, or a recording that goes on 10 readouts before and after"),
        ((97, 21, (20, 97)), r"not from 20 to 96; give --exposure 20 87, or"),
        ((97, 21, (0, 9)), r"not from 0 to 8; give a recording that goes on 10"),
        ((20, 21, (5, 15)), r"looks at 21 readouts .* and the stream has 20; give a longer recording"),
    ],
)  # fmt: skip
def test_times_that_cannot_be_shown(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        frame_times(*arguments)


# Students


@pytest.fixture(scope="module")
def checkpoint(ldn: LDN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "ldn.safetensors"
    save(path, ldn, v_th=(1, 2))
    return path


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the authors' is, with other weights."""
    path = tmp_path_factory.mktemp("released") / "DeblurNet_100.pth"
    torch.save(rebuilt({slot.released[0]: slot.shape for slot in slots(LDN(), "ldn")}, "ldn", {}), path)
    return path


def test_students_are_told_apart_by_what_is_in_the_file(
    ldn: LDN, checkpoint: Path, released: Path, tmp_path: Path
) -> None:
    blur, spikes = tensors(scene())
    for path, expected, v_th in ((checkpoint, ldn, (1, 2)), (released, load_released(released, "ldn"), (1,))):
        for name in (path.name, "a.pth", "a.safetensors", "a"):
            student = load_student(shutil.copy(path, tmp_path / name))
            assert student.v_th == v_th
            assert isinstance(expected, LDN)
            sharp, same = (deblur_sequence(n, blur, spikes, [14], EXPOSURE) for n in (student.network, expected))
            torch.testing.assert_close(sharp, same)


def test_files_that_hold_no_student(checkpoint: Path, released: Path, tmp_path: Path) -> None:
    bsn, bsn_released = tmp_path / "bsn.safetensors", tmp_path / "BSN.pth"
    save(bsn, BSN())
    torch.save(rebuilt({slot.released[0]: slot.shape for slot in slots(BSN(), "bsn")}, "bsn", {}), bsn_released)
    other = tmp_path / "other.pth"
    torch.save(rebuilt({slot.released[0]: slot.shape for slot in slots(LDN(7), "ldn")}, "ldn", {}), other)
    for path in (checkpoint, released):
        (tmp_path / f"cut{path.suffix}").write_bytes(path.read_bytes()[:-100])
    (tmp_path / "page.pth").write_text("<html>not found</html>")
    (tmp_path / "empty.pth").touch()
    for path, message in {
        bsn: r"the BSN of the stage 'bsn', not the LDN of 'ldn'",
        bsn_released: "does not fit LDN: it lacks",
        other: r"other shapes spike_enc.0.weight \(16, 7, 3, 3\), not \(16, 21, 3, 3\)",
        tmp_path / "cut.safetensors": "truncated, damaged",
        tmp_path / "cut.pth": "truncated, damaged",
        tmp_path / "page.pth": "a web page, perhaps",
        tmp_path / "empty.pth": "truncated, damaged",
        tmp_path / "none.pth": "cannot read .*none.pth: No such file",
        tmp_path: r"is a folder; give the file of a network in it, such as .*/ldn\.safetensors",
    }.items():
        with pytest.raises(InputFileError, match=message):
            load_student(path)


# Recordings


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A folder with a picture of 52×36 and its spikes, in every format."""
    folder = tmp_path / "recorded"
    recording = scene()
    folder.mkdir()
    Image.fromarray(recording.blur).save(folder / "blur.png")
    stream = SpikeStream(recording.spikes.packed, recording.spikes.width, SpikeCamera(v_th=2.0))
    for extension in (".npz", ".npy", ".h5", ".dat"):
        write_spikes(folder / f"spikes{extension}", stream)
    write_spikes(folder / "bare.dat", stream, describe=False)
    write_spikes(folder / "wide.dat", stream, describe=False, header_columns=3, flip=False)
    return folder


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
    refused("bare.dat", "blur.png", "bare.dat is a spike file; the picture comes first")
    refused("blur.png", "blur.png", r"blur.png: spike files are \.dat")
    refused("odd.png", "bare.dat", "odd.png is 52×38; .* multiples of 4; crop it")
    refused("large.png", "bare.dat", r"bare.dat has \d+ bytes, no multiple .*\. 100×100 is a quarter of .*large.png")
    for name in ("spikes.npz", "spikes.h5", "spikes.dat"):
        refused("large.png", name, "holds spikes of 13×9, but .*large.png is 400×400, a quarter of which is 100×100")
    refused("large.png", "bare.dat", "holds spikes of 13×9", height=9, width=13)
    refused("half.png", "bare.dat", "half.png is 26×18")
    refused("blur.png", "bare.dat", "height and width go together", height=9)


def test_samples_of_a_dataset_are_to_be_exported(tmp_path: Path, recorded: Path) -> None:
    clip = DemoClip("train/desk", "desk", 29, 64, 64)
    build_clips([clip], tmp_path / "data", make_recipe((1,), interpolation="linear"), workers=1)
    for path, kind in ((tmp_path / "data", "dataset"), (tmp_path / "data/train/desk.000.h5", "shard")):
        with pytest.raises(InputFileError, match=f"is a {kind}, not the spikes .* `spikesim convert DATASET FOLDER`"):
            read_recording(recorded / "blur.png", path)


# Files


def write(ldn: LDN, output: Path, recording: BlurryRecording | None = None, **choices: Any) -> recordings.Deblurred:
    return deblur_recording(ldn, recording or scene(), output, **{"exposure": EXPOSURE, **choices})


def expected(ldn: LDN, times: tuple[int, ...]) -> list[np.ndarray]:
    return list(deblur_frames(ldn, *scene(), times, EXPOSURE))


def test_a_folder_holds_a_picture_for_each_time(ldn: LDN, tmp_path: Path) -> None:
    made = write(ldn, tmp_path / "new/out")
    times = frame_times(30, 5, (5, 25))
    assert (made.readouts, made.kept, len(times)) == (times, 0, 7)
    assert made.files == tuple(tmp_path / f"new/out/{time:06d}.png" for time in times)
    assert set(contents(tmp_path / "new/out")) == {DESCRIPTION, *(path.name for path in made.files)}
    for path, frame in zip(made.files, expected(ldn, times), strict=True):
        np.testing.assert_array_equal(pixels(path), frame)
    assert write(ldn, tmp_path / "at", exposure=None, at=[20, 9, 20]).readouts == (20, 9)


def test_a_picture_shows_the_middle_or_the_time_asked_for(ldn: LDN, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    for choices, time in (({}, 14), ({"at": [3]}, 3), ({"frames": 1}, 14)):
        made = write(ldn, tmp_path / "a.png", **choices)
        assert (made.files, made.readouts) == ((tmp_path / "a.png",), (time,))
        np.testing.assert_array_equal(pixels(tmp_path / "a.png"), expected(ldn, (time,))[0])
    assert list(tmp_path.iterdir()) == [tmp_path / "a.png"]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "A.MP4"])
def test_a_film_shows_the_frames(ldn: LDN, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    recording = BlurryRecording(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), scene().spikes)
    made = write(ldn, tmp_path / name, recording, frames=4, fps=25)
    with av.open(str(tmp_path / name)) as film:
        assert film.streams.video[0].average_rate == 25
        shown_frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(shown_frames) == 4
    for frame, exact in zip(shown_frames, deblur_frames(ldn, *recording, made.readouts, EXPOSURE), strict=True):
        assert np.abs(frame.astype(int).mean((0, 1)) - exact.mean((0, 1))).max() < 4
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_a_gif_shows_the_frames_over_and_over(ldn: LDN, tmp_path: Path) -> None:
    made = write(ldn, tmp_path / "a.gif", frames=4)
    with Image.open(tmp_path / "a.gif") as film:
        assert (film.n_frames, film.info["loop"], film.info["duration"]) == (4, 0, 1000 // recordings.FPS)
        for number, exact in enumerate(expected(ldn, made.readouts)):
            film.seek(number)
            assert np.abs(np.asarray(film.convert("RGB")).astype(int) - exact).mean() < 20
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
    network = Interrupted(ldn.readouts)
    network.load_state_dict(ldn.state_dict())
    return network


def test_an_interrupted_folder_is_finished_by_running_again(ldn: LDN, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(interrupted(ldn), tmp_path / "out")
    before = contents(tmp_path / "out")
    assert 3 <= len(before) <= 4
    told: list[tuple[int, int]] = []
    made = write(ldn, tmp_path / "out", on_frame=lambda *step: told.append(step))
    assert (made.kept, len(made.files)) == (len(before) - 1, 7)
    assert told == [(made.kept, 7)] + [(1, 7)] * (7 - made.kept)
    write(ldn, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert before.items() <= contents(tmp_path / "out").items()
    assert write(ldn, tmp_path / "out").kept == 7


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.mkv"])
def test_an_interrupted_film_leaves_what_was_there(ldn: LDN, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    for output in (tmp_path / name, tmp_path / f"new_{name}"):
        with pytest.raises(KeyboardInterrupt):
            write(interrupted(ldn), output)
    assert contents(tmp_path) == {name: b"old"}


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
        before = contents(out)
        if choices == {}:
            choices = {"frames": 4 if what.startswith("spikes") else 2}
        with pytest.raises(OutputError, match=rf"made otherwise \(other .*{what}\).*--overwrite"):
            write(network, out, recording, **choices)
        assert contents(out) == before
        assert write(network, out, recording, overwrite=True, **choices).kept == 0
        write(network, tmp_path / "fresh", recording, overwrite=True, **choices)
        assert contents(out) == {**contents(tmp_path / "fresh"), "notes.txt": b""}


@pytest.mark.parametrize("held", [{"000005.png": ""}, {DESCRIPTION: "{"}, {DESCRIPTION: '{"schema": "other"}'}])
def test_a_folder_of_something_else_is_never_written_to(ldn: LDN, tmp_path: Path, held: dict[str, str]) -> None:
    for name, text in held.items():
        (tmp_path / name).write_text(text)
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="exists already and is no folder of deblurred frames"):
        write(ldn, tmp_path, overwrite=True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["out", "a.mp4", "a.gif", "a.png"])
@pytest.mark.parametrize(
    ("choices", "what"),
    [
        ({"exposure": None}, "of its 30 readouts the image was exposed in|is not known"),
        ({"exposure": None, "at": [28]}, "around 28 .* outside"),
        ({"frames": 0}, "has no 0 different times"),
        ({"exposure": (0, 30), "frames": 31}, "has no 31 different times"),
        ({"exposure": (0, 3), "frames": 1}, "not from 1 to 1; give --exposure 2 3|give a recording"),
        ({"fps": 0}, "at least 1 frame a second, got fps=0"),
        ({"tile": 8}, "tile must be at least 64 pixels"),
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
            InvalidValueError, match=rf"{name}: a picture is \.png, a film \.mp4, \.mov, \.mkv or \.gif"
        ):
            write(ldn, tmp_path / name)
    for choices in ({"frames": 2}, {"exposure": None, "at": [3, 4]}):
        with pytest.raises(InvalidValueError, match=r"b\.png is one picture, not 2 frames"):
            write(ldn, tmp_path / "b.png", **choices)
    assert sorted(contents_of_files(tmp_path)) == ["out"]


def contents_of_files(folder: Path) -> Iterator[str]:
    return (path.name for path in folder.rglob("*") if path.is_file())


def test_a_full_disk_leaves_no_half_gif(tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield scene().blur
        raise OSError("No space left on device")

    with pytest.raises(OutputError, match=r"cannot write .*a\.gif: No space left"):
        write_gif(tmp_path / "a.gif", frames(), 10)
    assert list(tmp_path.iterdir()) == []


# The command


def test_deblur(run: Run, recorded: Path, checkpoint: Path, ldn: LDN, tmp_path: Path) -> None:
    words = ("deblur", recorded / "blur.png", recorded / "bare.dat", tmp_path / "out", "--checkpoint", checkpoint)
    result = run(*words, "--exposure", 5, 25)
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines() == ["frames: 7 of 7", f"{tmp_path / 'out'}: 7 frames of 52×36, at readouts 5 to 24"]
    write(ldn, tmp_path / "same")
    assert contents(tmp_path / "out") == contents(tmp_path / "same")
    again = run(*words, "--exposure", 5, 25, "--json")
    assert again.json == {
        "output": str(tmp_path / "out"),
        "files": [str(tmp_path / "out" / f"{time:06d}.png") for time in (5, 8, 11, 15, 18, 21, 24)],
        "readouts": [5, 8, 11, 15, 18, 21, 24],
        "kept": 7,
        "width": 52,
        "height": 36,
    }
    assert run(*words, "--exposure", 5, 25).err.endswith("at readouts 5 to 24, 7 of them there already\n")
    assert_refused(run(*words, "--at", 9), "made otherwise (other readouts, exposure)", "--overwrite")
    assert run(*words, "--at", 9, "--overwrite").err.endswith("1 frame of 52×36, at readout 9\n")


@pytest.mark.parametrize("words", ["--at 9 14 3", "--at 9,14,3", "--at 9 --at 14 --at 3", "--at=9 14,3"])
def test_times_are_given_as_people_write_them(words: str) -> None:
    for arguments in (["b.png", "s.dat", "out", "--checkpoint", "c", *words.split()],
                      [*words.split(), "--checkpoint", "c", "b.png", "s.dat", "out"]):  # fmt: skip
        with command("deblur").make_context("deblur", arguments) as context:
            assert context.params["at"] == (9, 14, 3)
            assert context.params["output"] == Path("out")


def test_options_reach_the_library(run: Run, recorded: Path, released: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.gif"
    words = ["--frames", 2, "--exposure", 12, 18, "--fps", 20, "--tile", 64, "--device", "cpu"]
    words += ["--header-columns", 3, "--no-flip", "--json"]
    result = run("deblur", recorded / "blur.png", recorded / "wide.dat", output, "--checkpoint", released, *words)
    assert result.json["readouts"] == [12, 17]
    frames = list(deblur_frames(load_student(released).network, *scene(), [12, 17], (12, 18), 64))
    with Image.open(output) as film:
        assert (film.n_frames, film.info["duration"]) == (2, 50)
        assert np.abs(np.asarray(film.convert("RGB")).astype(int) - frames[0]).mean() < 20


def test_another_threshold_is_told(
    run: Run,
    recorded: Path,
    checkpoint: Path,
    released: Path,
    tmp_path: Path,
) -> None:
    def told(spikes: str, network: Path) -> bool:
        words = ("--checkpoint", network, "--at", 14)
        result = run("deblur", recorded / "blur.png", recorded / spikes, tmp_path / "a.png", *words)
        assert result.code == 0
        return "the spikes are of V_th 2, and the network was trained on 1: look" in result.err

    assert told("spikes.npz", released)
    assert not told("bare.dat", released)  # which does not say
    assert not told("spikes.npz", checkpoint)


def test_deblur_refuses_bad_input(run: Run, recorded: Path, checkpoint: Path, tmp_path: Path) -> None:
    blur, spikes, out = recorded / "blur.png", recorded / "bare.dat", tmp_path / "out"
    good = ("deblur", blur, spikes, out, "--checkpoint", checkpoint)
    before = contents(recorded)
    assert_refused(run("deblur", blur, spikes, "--checkpoint", checkpoint), "OUT")
    assert_refused(run("deblur", blur, spikes, out), "--checkpoint")
    assert_refused(run(*good[:4], "--checkpoint", tmp_path / "none.pth"), "cannot read", "none.pth")
    assert_refused(run("deblur", tmp_path / "none.png", *good[2:]), "none.png does not exist")
    assert_refused(run(*good), "of its 30 readouts", "--exposure 20 117")
    assert_refused(run(*good, "--exposure", 5), "--exposure")
    assert_refused(run(*good, "--exposure", 0, 30), "give --exposure 2 28")
    assert_refused(run(*good, "--at", 28), "choose times from 2 to 27")
    assert_refused(run(*good, "--at", 2.5), "'2.5' is no whole number; give readouts as --at 20 68 116")
    assert_refused(run(*good, "--at", 9, "--frames", 2), "leave out --frames")
    assert_refused(run(*good, "--at", 9, "--exposure", 5, 31), "not in the stream, whose readouts are 0..29")
    for place in (blur, spikes, checkpoint):
        assert_refused(run("deblur", blur, spikes, place, "--checkpoint", checkpoint), f"would replace {place}")
    assert_refused(run("deblur", blur, spikes, recorded, *good[4:], "--at", 9), "no folder of deblurred frames")
    assert_refused(run(*good, "--tile", 63), "--tile")
    assert contents(recorded) == before
    assert not out.exists()


def test_a_gpu_that_is_not_there(run: Run, recorded: Path, checkpoint: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    words = ("--checkpoint", checkpoint, "--at", 9, "--device", "cuda")
    result = run("deblur", recorded / "blur.png", recorded / "bare.dat", tmp_path / "a.png", *words)
    assert_refused(result, "finds no CUDA device here", "'cpu' or 'auto'")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_what_the_processor_gives(ldn: LDN) -> None:
    recording = scene(148, 212)
    for tile in (None, 64):
        on_cpu = list(deblur_frames(ldn, *recording, [5, 9], EXPOSURE, tile))
        on_gpu = list(deblur_frames(ldn.to("cuda"), *recording, [5, 9], EXPOSURE, tile))
        ldn.to("cpu")
        assert max(np.abs(a.astype(int) - b).max() for a, b in zip(on_cpu, on_gpu, strict=True)) <= 1


def test_interrupting_the_command(
    run: Run,
    recorded: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LDN, "fuse", stop)
    for name in ("out", "a.mp4", "a.png"):
        words = ("--checkpoint", checkpoint, "--at", 9)
        result = run("deblur", recorded / "blur.png", recorded / "bare.dat", tmp_path / name, *words)
        assert (result.code, result.out) == (130, "")
        assert "Interrupted." in result.err
        assert not (tmp_path / name).exists()


def test_shown_defaults_are_those_of_the_library() -> None:
    start, stop = PLAN.exposure
    assert shown("deblur") == {
        "exposure": f"{start} {stop} in a stream of {PLAN.stream_length} readouts",
        "frames": f"{deblur.FRAMES}; 1 for a .png",
        "fps": str(recordings.FPS),
        "tile": f"{deblur.TILE} for pictures of over {deblur.LARGE / 1e6:g} megapixels, else none",
        "device": "auto",
    }
    (tile,) = [option.type for option in command("deblur").params if option.name == "tile"]
    assert isinstance(tile, click.IntRange)
    assert tile.min == tiles.LEAST_SIDE


# The extra


@pytest.mark.parametrize("package", ["torch", "safetensors"])
def test_without_the_packages_the_extra_is_named(
    run: Run,
    recorded: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] in ("ssdm_models", package)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    result = run("deblur", recorded / "blur.png", recorded / "bare.dat", recorded / "out", "--checkpoint", "a.pth")
    assert_refused(result, f"`spikesim deblur` needs {package}; pip install 'spikesim[ssdm]'")


def test_other_missing_packages_are_not_taken_for_those_of_the_extra() -> None:
    with pytest.raises(ModuleNotFoundError) as caught, needs_ssdm("deblur"):
        raise ModuleNotFoundError("No module named 'ssdm_models.nothing'", name="ssdm_models.nothing")
    assert not isinstance(caught.value, SpikesimError)
    with pytest.raises(MissingExtraError), needs_ssdm("deblur"):
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")


def test_the_description_says_of_what_frames_are_made(ldn: LDN, tmp_path: Path) -> None:
    write(ldn, tmp_path / "out", exposure=None, at=[9, 20])
    record = json.loads((tmp_path / "out" / DESCRIPTION).read_text())
    assert record["schema"] == recordings.SCHEMA
    assert record["readouts"] == [9, 20]
    assert record["exposure"] == [0, 30]  # nothing is known of it
    write(ldn, tmp_path / "long", scene(readouts=PLAN.stream_length), exposure=None, at=[9])
    assert json.loads((tmp_path / "long" / DESCRIPTION).read_text())["exposure"] == list(PLAN.exposure)
