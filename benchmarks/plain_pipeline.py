"""A dataset made as the field makes it, to compare whole builds with: step after step, each through files of images.

One script interpolates and writes every readout as PNG. The others read them again: one averages exposures into blurry
images, one keeps the sharp frame, and one, run for each threshold, downscales and fires readout by readout. It is one
process, with loops over whole images in numpy and torch, as in the published scripts; the interpolator is ours, so that
what is compared is the rest.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from spikesim_datasets.exposure import ExposurePlan, Window
from spikesim_datasets.interpolation import make_interpolator
from spikesim_datasets.sources import Clip

PLAN = ExposurePlan()


def from_clips(clips: Sequence[Clip], out: Path, v_th: Sequence[float]) -> int:
    """Interpolate clips and make a dataset of them; the number of readouts that its samples are made of."""
    return sum(from_readouts(interpolate(clip, out / "readouts" / clip.name), out, v_th) for clip in clips)


def interpolate(clip: Clip, folder: Path) -> Path:
    """Write every readout of a clip."""
    folder.mkdir(parents=True)
    interpolator, number, previous = make_interpolator("flow"), 0, None
    for frame in clip.frames(0, clip.n_frames):
        if previous is not None:
            times = [i / PLAN.factor for i in range(1, PLAN.factor)]
            for between in interpolator.between(previous, frame, times):
                number = _write(folder, number, between)
        number = _write(folder, number, frame)
        previous = frame
    return folder


def from_readouts(folder: Path, out: Path, v_th: Sequence[float]) -> int:
    """Make a dataset of a folder of readouts; the number of readouts that its samples are made of."""
    files = sorted(folder.iterdir())
    windows = PLAN.windows((len(files) - 1) // PLAN.factor + 1)
    for window in windows:
        _blur(files, window, out / "blur_data" / folder.name)
    for window in windows:
        _sharp(files, window, out / "sharp_data" / folder.name)
    for threshold in v_th:
        for window in windows:
            _spikes(files, window, out / f"spike_data_vth_{threshold:g}" / folder.name, threshold)
    return (len(windows) - 1) * PLAN.period + PLAN.stream_length


def _write(folder: Path, number: int, frame: np.ndarray) -> int:
    cv2.imwrite(str(folder / f"{number:06d}.png"), frame[..., ::-1])
    return number + 1


def _blur(files: list[Path], window: Window, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    exposure = files[window.first_readout : window.first_readout + PLAN.readouts]
    mean = np.mean([cv2.imread(str(file)).astype(np.float32) for file in exposure], axis=0)
    cv2.imwrite(str(folder / f"{window.index:06d}.png"), mean.astype(np.uint8))


def _sharp(files: list[Path], window: Window, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    middle = files[window.first_readout + PLAN.readouts // 2]
    shutil.copyfile(middle, folder / f"{window.index:06d}.png")


def _spikes(files: list[Path], window: Window, folder: Path, v_th: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    start = window.first_readout - PLAN.padding
    charge, stream = None, []
    for file in files[start : start + PLAN.stream_length]:
        image = cv2.imread(str(file))
        height, width = image.shape[:2]
        small = cv2.resize(image, (width // 4, height // 4))
        light = torch.from_numpy(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)).float() / 255
        charge = light if charge is None else charge + light
        fired = charge >= v_th
        charge[fired] -= v_th
        stream.append(fired.numpy())
    packed = np.packbits(np.stack(stream)[:, ::-1], axis=2, bitorder="little")
    packed.tofile(folder / f"{window.index:06d}.dat")
