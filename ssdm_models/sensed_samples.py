"""Samples seen by a sensor drawn anew each time: what a network that serves every threshold is trained on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict, get_args

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset

from spikesim import SpikeCamera
from spikesim.errors import InvalidValueError
from spikesim_datasets.folders import entries_of
from spikesim_datasets.image_files import through_jpeg
from spikesim_datasets.remote.url import Place, Url, require_place
from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset
from spikesim_datasets.shards import Dataset, open_dataset
from spikesim_datasets.shards.fields import LIGHT
from spikesim_datasets.sources import Split
from ssdm_models.exposures import counted_scale, exposure_planes
from ssdm_models.recorded_scenes import RecordedScene, scene_of, sense
from ssdm_models.tensor_checks import require_thresholds

# Shares of samples for which each is drawn.
_SSDM, _REALISTIC = 0.5, 0.35  # presets; the rest has each noise term of `realistic` or not
_GIVEN_SCALE = 0.5  # c is what the sensor says, which a whole image tells more exactly than a crop does
_DARKER, _REVERSED, _TURNED, _CUT_SHORT = 0.4, 0.5, 0.5, 0.3
_JPEG, _NOISE, _SHIFTED = 0.12, 0.08, 0.06

_SCALE_ERROR = 0.03
_LEAST_CONTRAST = 0.5
_JPEG_QUALITY = (50, 95)
_MOST_NOISE = 4.0  # standard deviation, of 255


class SensedSample(TypedDict):
    """One item of `SensedSamples`: one time of one exposure, as a network takes it.

    Attributes:
        blur: Blurry image (3, H, W), RGB in [0, 1].
        planes: `exposures.exposure_planes` of the time, (`PLANES`, H/4, W/4).
        sharp: True image at the time (3, H, W), RGB in [0, 1].
        v_th: Threshold of the sensor.
        key: Of the clip.
        window: Number of the exposure in the clip.
    """

    blur: torch.Tensor
    planes: torch.Tensor
    sharp: torch.Tensor
    v_th: float
    key: str
    window: int


class SensedSamples(TorchDataset[SensedSample]):
    """Crops of a dataset at one time each, with the light on them sensed by a camera that is drawn for each.

    The threshold is drawn between the least and the greatest of some, evenly in its logarithm; noise from the presets
    `ssdm` and `realistic` and mixtures. Besides, scenes are mirrored, turned, run backwards and made darker or flatter;
    streams are cut short; the blurry image is sometimes compressed, noisy or shifted by a pixel.

    A sample of the dataset counts as often as crops have its area, so that to see all once is to see about as much as
    there is: large images and small ones are in one training with the shares they have.

    Args:
        path: A dataset with the field `light` and ground truth, or a folder of such datasets, whose exposures may have
            other lengths; or the address of a dataset, since servers need not list folders.
        split: `train` or `test`.
        v_th: Thresholds.
        crop: Side of the crops of the blurry image in pixels, a multiple of 32.

    What is random about `samples[SeededIndex(i, seed)]` comes from the seed alone.

    Attributes:
        exposure: Of the first dataset, (start, stop).
        ratio: Of the first dataset, as of `SpikeBlurDataset`.
        fingerprint: Hash of what the samples are, wherever they lie.

    Raises:
        InputFileError: There is no such dataset, or it is damaged or cannot be fetched.
        InvalidValueError: It has no such split or no light, a shard has no ground truth, or a crop or threshold is not
            as above.
        MissingExtraError: It lies elsewhere, and the extra `remote` is not installed.
    """

    def __init__(self, path: str | Place, split: str, v_th: tuple[float, ...], crop: int) -> None:
        thresholds = require_thresholds(v_th)
        if not thresholds:
            raise InvalidValueError("sensors need at least one threshold v_th, got none")
        self._range = np.log([min(thresholds), max(thresholds)])
        self._datasets = [_open(root, split, crop) for root in _roots(require_place(path))]
        self._crops = np.concatenate(
            [_crops(dataset.source, crop, number) for number, dataset in enumerate(self._datasets)]
        )
        self.exposure, self.ratio = self._datasets[0].exposure, self._datasets[0].ratio
        self.fingerprint = "+".join(dataset.fingerprint for dataset in self._datasets)

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, index: SeededIndex) -> SensedSample:
        dataset, sample = self._crops[index.sample].tolist()
        item = self._datasets[dataset][SeededIndex(sample, index.seed)]
        rng = np.random.default_rng(index.seed)
        scene = _moved(scene_of(item), rng)
        camera = _camera(self._range, rng)
        counts = sense(scene.light, camera, rng)
        shown, true = _damaged(scene.blur, scene.sharp, rng)
        scale = counted_scale(shown[None], counts, scene.exposure)
        if rng.random() < _GIVEN_SCALE:
            scale = torch.full_like(scale, camera.v_th / camera.gain * np.exp(rng.normal(0, _SCALE_ERROR)))
        return {
            "blur": shown,
            "planes": exposure_planes(counts, scene.time, scene.exposure, scale)[0],
            "sharp": true,
            "v_th": camera.v_th,
            "key": item["key"],
            "window": item["window"],
        }


def _roots(path: Place) -> Sequence[Place]:
    """The dataset, or those in the folder."""
    if isinstance(path, Url):
        return [path]
    inside = [entry for entry in entries_of(path) if _is_dataset(entry)] if path.is_dir() else []
    return [path] if _is_dataset(path) or not inside else inside


def _is_dataset(path: Path) -> bool:
    return any((path / split).is_dir() for split in get_args(Split))


def _open(root: Place, split: str, crop: int) -> SpikeBlurDataset:
    """A dataset of crops with light and one true image each; its own spikes are not used.

    Raises:
        InputFileError, InvalidValueError: See `SensedSamples`.
    """
    source = open_dataset(root, split)
    if LIGHT.name not in source.extra:
        raise InvalidValueError(
            f"{root} has no light in every shard, which sensors would see; build it with --light --sharp sequence"
        )
    return SpikeBlurDataset(root, split, source.thresholds[0], crop, "one", flip=True, extra=(LIGHT.name,))


def _crops(source: Dataset, crop: int, number: int) -> np.ndarray:
    """The number of a dataset and of one of its samples, for each crop of it, int64 (crops, 2)."""
    places = [max(1, round(height * width / crop**2)) for height, width in source.image_sizes]
    each = np.repeat(places, [entry.samples for entry in source.entries])
    samples = np.repeat(np.arange(len(source)), each)
    return np.stack([np.full_like(samples, number), samples], axis=1)


def _moved(scene: RecordedScene, rng: np.random.Generator) -> RecordedScene:
    """A scene, perhaps darker, turned, backwards, or recorded for less long."""
    blur, sharp, light, time, (start, stop) = scene
    if rng.random() < _DARKER:  # and flatter: what is done to frames is done to their means
        contrast = rng.uniform(_LEAST_CONTRAST, 1)
        black = rng.uniform(0, 1 - contrast) ** 2
        blur, sharp, light = (np.float32(contrast) * image + np.float32(black) for image in (blur, sharp, light))
    if rng.random() < _TURNED:
        blur, sharp, light = (image.swapaxes(1, 2) for image in (blur, sharp, light))
    readouts = len(light)
    if rng.random() < _REVERSED:
        light, time, start, stop = light[::-1], readouts - 1 - time, readouts - stop, readouts - start
    if rng.random() < _CUT_SHORT:
        first = int(rng.integers(min(start, time) + 1))
        last = int(rng.integers(max(stop, time + 1), readouts + 1))
        light, time, start, stop = light[first:last], time - first, start - first, stop - first
    return RecordedScene(blur, sharp, np.ascontiguousarray(light), time, (start, stop))


def _camera(span: np.ndarray, rng: np.random.Generator) -> SpikeCamera:
    """A sensor."""
    v_th, kind = float(np.exp(rng.uniform(*span))), rng.random()
    if kind < _SSDM:
        return SpikeCamera.preset("ssdm", v_th=v_th)
    camera = SpikeCamera.preset("realistic", v_th=v_th)
    if kind < _SSDM + _REALISTIC:
        return camera
    return replace(camera, noise=tuple(term for term in camera.noise if rng.random() < 0.5))


def _damaged(blur: np.ndarray, sharp: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """The blurry image as files hold it: in 256 levels, sometimes compressed, noisy, or a pixel beside the spikes."""
    image = np.rint(blur.transpose(1, 2, 0) * 255)
    kind = rng.random()
    if kind < _JPEG:
        image = through_jpeg(image.astype(np.uint8), int(rng.integers(*_JPEG_QUALITY)))
    elif kind < _JPEG + _NOISE:
        image = np.rint(image + rng.normal(0, rng.uniform(0, _MOST_NOISE), image.shape)).clip(0, 255)
    shown = image.transpose(2, 0, 1).astype(np.float32) / 255
    if rng.random() < _SHIFTED:
        offset = tuple(rng.integers(-1, 2, 2))
        shown, sharp = np.roll(shown, offset, (1, 2)), np.roll(sharp, offset, (1, 2))
    return torch.from_numpy(np.ascontiguousarray(shown)), torch.from_numpy(np.ascontiguousarray(sharp))
