"""Deblurring: tiles that give what one piece gives, normalised spikes, frames, times, and networks from any file."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import deblurring_data
import numpy as np
import pytest
import torch
from child_memory import PEAK
from deblurring_data import EXPOSURE, HEIGHT, PLAN, WIDTH, scene, tensors
from golden_weights import rebuilt
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim import SpikeStream
from spikesim.errors import InputFileError, InvalidValueError
from ssdm_models import deblur, stream_view, tiled_deblurring
from ssdm_models import ldn as ldn_module
from ssdm_models.bsn import BSN
from ssdm_models.checkpoints import load_released, save
from ssdm_models.deblur import deblur_frames, deblur_sequence
from ssdm_models.exposure_times import frame_times
from ssdm_models.ldn import LDN
from ssdm_models.released import slots
from ssdm_models.trained_networks import load_deblurring

checkpoint, ldn, released = deblurring_data.checkpoint, deblurring_data.ldn, deblurring_data.released

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
    monkeypatch.setattr(tiled_deblurring, name, value)
    assert difference(ldn, 148, 212, 64) > 1e-5


def test_statistics_of_a_tile_would_show(ldn: LDN) -> None:
    blur, spikes = tensors(scene(148, 212))
    whole = deblur_sequence(ldn, blur, spikes, [9], EXPOSURE)[0]
    part = deblur_sequence(ldn, blur[:, :, :140], spikes[:, :, :35], [9], EXPOSURE)[0]
    assert (part[:, :, :80] - whole[:, :, :80]).abs().max() > 1e-5  # far from where it was cut


def test_tiles_of_the_released_network(shared: Path) -> None:
    network = load_deblurring(shared / "weights" / "DeblurNet_100.pth").network
    assert isinstance(network, LDN)
    with np.load(shared / "golden" / "ldn.npz") as file:
        blur, spikes, expected = (torch.from_numpy(file[name])[0] for name in ("blur", "spikes", "released_output"))
    # Golden images are BGR.
    with torch.inference_mode():
        sharp = tiled_deblurring.TiledDeblurring(network, blur.flip(0)[None], 64)(spikes[None])[0].flip(0)
    torch.testing.assert_close(sharp, expected, rtol=0, atol=1e-4)


def test_large_images_are_computed_in_tiles(ldn: LDN, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = []

    class Spy(tiled_deblurring.TiledDeblurring):
        def __init__(self, network: LDN, blur: torch.Tensor, side: int) -> None:
            sides.append(side)
            super().__init__(network, blur, side)

    monkeypatch.setattr(ldn_module, "TiledDeblurring", Spy)
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
network = LDN(length=5)
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


# Normalised spikes


def test_frames_are_made_of_normalised_spikes_whatever_the_threshold(ldn: LDN) -> None:
    """Every spike twice as far apart, and the image the same: each spike is twice the light."""
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
    to_torch = stream_view.to_torch
    monkeypatch.setattr(
        stream_view, "to_torch", lambda part, device: unpacked.append(len(part)) or to_torch(part, device)
    )
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_what_the_processor_gives(ldn: LDN) -> None:
    recording = scene(148, 212)
    for tile in (None, 64):
        on_cpu = list(deblur_frames(ldn, *recording, [5, 9], EXPOSURE, tile))
        on_gpu = list(deblur_frames(ldn.to("cuda"), *recording, [5, 9], EXPOSURE, tile))
        ldn.to("cpu")
        assert max(np.abs(a.astype(int) - b).max() for a, b in zip(on_cpu, on_gpu, strict=True)) <= 1


# Students


def test_students_are_told_apart_by_what_is_in_the_file(
    ldn: LDN, checkpoint: Path, released: Path, tmp_path: Path
) -> None:
    blur, spikes = tensors(scene())
    for path, expected, v_th in ((checkpoint, ldn, (1, 2)), (released, load_released(released, "ldn"), (1,))):
        for name in (path.name, "a.pth", "a.safetensors", "a"):
            student = load_deblurring(shutil.copy(path, tmp_path / name))
            assert student.v_th == v_th
            assert isinstance(expected, LDN)
            sharp, same = (deblur_sequence(n, blur, spikes, [14], EXPOSURE) for n in (student.deblurring, expected))
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
            load_deblurring(path)
