"""Deblurring without torch: the multi-exposure network, computed by OpenCV's dnn module."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np

from spikesim import SpikeStream, fractional_counts
from spikesim.checks import require_instance, require_path
from spikesim.errors import InputFileError, InvalidValueError, MissingExtraError
from spikesim_datasets.optics import planes
from ssdm_models.checkpoint_file import damaged, is_ours, read_arrays
from ssdm_models.deblurrer import Deblurrer, out_of_memory, require_blur, require_quarter
from ssdm_models.readout_spans import require_times, span, within
from ssdm_models.without_torch.multi_exposure_graph import image_model, planes_model, weight_shapes
from ssdm_models.without_torch.planes_of_counts import exposure_planes, folded, robust_scale, unfolded

_ARCHITECTURE = "MultiExposure"
_LEVELS = 4  # of the spikes' pixels along a side, one of the network's coarsest


class OpenCVDeblurrer(Deblurrer):
    """The multi-exposure network of a checkpoint, computed by OpenCV: frames are torch's but for rounding.

    Args:
        path: The checkpoint.

    Raises:
        InvalidValueError: `path` is no path.
        InputFileError: It is missing or damaged.
        MissingExtraError: It holds another network, which torch computes.
    """

    title = "the multi-exposure network"
    engine = "OpenCV"
    length = 1

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = require_path(path)
        if not is_ours(path):
            raise _needs_torch(f"{path} is no checkpoint of spikesim")
        card, arrays = read_arrays(path)
        if card.get("architecture") != _ARCHITECTURE:
            raise _needs_torch(f"{path} holds another network than {self.title}")
        shapes = weight_shapes()
        if {name: array.shape for name, array in arrays.items()} != shapes:
            raise InputFileError(f"{path} holds other tensors than {self.title} has; take another copy of it")
        try:
            self.v_th = tuple(float(threshold) for threshold in card["v_th"])
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, f"v_th: {error}") from error
        self._weights = {name: arrays[name].astype(np.float32) for name in shapes}

    def weights(self) -> Iterator[np.ndarray]:
        return iter(self._weights.values())

    def frames(
        self,
        blur: np.ndarray,
        stream: SpikeStream,
        times: Sequence[int],
        exposure: tuple[int, int],
        tile: int | None = None,
    ) -> Iterator[np.ndarray]:
        blur, readouts = require_blur(blur), len(require_instance(stream, "stream", SpikeStream))
        within(exposure, readouts)
        for time in (times := require_times(times)):
            span(time, self.length, readouts)
        require_quarter(stream.shape, *blur.shape[:2])
        if tile is not None:
            raise InvalidValueError(f"{self.title} does not compute in tiles, got tile {tile}; leave tile out")
        return self._frames(blur, stream, times, exposure)

    def _frames(
        self, blur: np.ndarray, stream: SpikeStream, times: Sequence[int], exposure: tuple[int, int]
    ) -> Iterator[np.ndarray]:
        _, height, width = stream.shape
        borders = (0, 0), (0, -height % _LEVELS), (0, -width % _LEVELS)
        with _explained(blur):
            image, counts = planes(blur), fractional_counts(stream)
            start, stop = exposure
            scale = robust_scale(image, (counts[stop] - counts[start]) / (stop - start))
            of_image = np.pad(folded(image), borders, "edge")[None]
            encoder, network = (
                cv2.dnn.readNetFromONNX(np.frombuffer(make(self._weights, *of_image.shape[2:]), np.uint8))
                for make in (image_model, planes_model)
            )
            encoder.setInput(of_image, "image")
            network.setInput(encoder.forward(), "encoded")
        for time in times:
            with _explained(blur):
                of_time = np.pad(exposure_planes(counts, time, exposure, scale), borders, "edge")
                network.setInput(of_time[None], "planes")
                change = network.forward()[0, :, :height, :width]
                frame = _levels(image + unfolded(change))
            yield frame


def _levels(frame: np.ndarray) -> np.ndarray:
    """RGB (3, H, W) in [0, 1], which is overwritten, as uint8 (H, W, 3)."""
    frame *= 255
    np.clip(np.rint(frame, out=frame), 0, 255, out=frame)
    return np.ascontiguousarray(frame.transpose(1, 2, 0), np.uint8)


@contextmanager
def _explained(blur: np.ndarray) -> Iterator[None]:
    """Explain exhausted memory."""
    try:
        yield
    except (MemoryError, cv2.error) as error:
        if isinstance(error, cv2.error) and error.code != cv2.Error.StsNoMem:
            raise
        height, width, _ = blur.shape
        raise out_of_memory(height, width, "take a smaller image") from error


def _needs_torch(problem: str) -> MissingExtraError:
    return MissingExtraError(f"{problem}, and torch is not installed; pip install 'spikesim[ssdm]'")
