"""Deblurring with a trained network: one blurry image and its spikes to a sharp sequence."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from spikesim import SpikeStream
from spikesim.checks import require_instance, require_whole
from spikesim.errors import InvalidValueError
from spikesim.gpu.devices import full_precision, ran_out
from spikesim_datasets.optics import planes
from ssdm_models.deblurrer import Deblurrer, out_of_memory, require_blur
from ssdm_models.deblurring_network import DeblurringNetwork, Renderer
from ssdm_models.readout_spans import require_times, span
from ssdm_models.stream_view import PackedView, StreamView, TensorView
from ssdm_models.tensor_checks import require_one_device, require_tensor, require_thresholds
from ssdm_models.tiled_deblurring import LEAST_SIDE

LARGE = 3_000_000
"""Pixels over which an image is computed in tiles where nothing is said: one piece is slower from here on."""

TILE = 512
"""Side of those tiles: larger and smaller ones are slower on a CPU."""


def deblur_sequence(
    network: DeblurringNetwork,
    blur: Tensor,
    spikes: Tensor,
    readouts: Sequence[int],
    exposure: tuple[int, int],
    tile: int | None = None,
) -> Tensor:
    """The sharp images at several times; what depends on the blurry image alone is computed once.

    Times are computed one after the other, so that memory does not grow with their number.

    Args:
        network: Any network that deblurs, such as LDN.
        blur: Blurry image (3, H, W), RGB in [0, 1], on the network's device.
        spikes: Its stream (T, H/4, W/4) of 0 and 1, on the network's device.
        readouts: The S times, each with its whole window in the stream.
        exposure: First readout of the blurry image's exposure, and the one after its last: what normalises spikes
            (`intensity.intensity_scale`).
        tile: Side of the tiles to compute in, pixels, at least 64; None computes images of over 3 megapixels in tiles
            of 512 where the network has tiles, and others in one piece. Results are equal but for rounding.

    Returns:
        Sharp images (S, 3, H, W), RGB, not clipped.

    Raises:
        InvalidValueError: A window or the exposure reaches outside the stream, the spikes are not a quarter of the
            image, the tile is too small or the network has none, or memory ran out.
    """
    require_instance(network, "network", DeblurringNetwork)
    require_tensor(blur, "blur", "3 H W")
    require_tensor(spikes, "spikes", "T h w")
    for weight in islice(network.parameters(), 1):
        require_one_device(network=weight, blur=blur, spikes=spikes)
        if (given := torch.promote_types(blur.dtype, spikes.dtype)) != weight.dtype:
            raise InvalidValueError(f"blur and spikes must be {weight.dtype} as the network's weights, got {given}")
    readouts = require_times(readouts, "readouts")
    render = rendering(network, TensorView(blur, spikes, exposure), readouts, tile)
    sharp = blur.new_empty((len(readouts), *blur.shape))
    for row, time in zip(sharp, readouts, strict=True):
        row.copy_(render(time))
    return sharp


def deblur_frames(
    network: DeblurringNetwork,
    blur: np.ndarray,
    stream: SpikeStream,
    times: Sequence[int],
    exposure: tuple[int, int],
    tile: int | None = None,
) -> Iterator[np.ndarray]:
    """The sharp frames at several times; of the stream, only the spikes that the network asks for are unpacked.

    Args:
        network: Any network that deblurs, such as LDN.
        blur: Blurry image, RGB uint8 (H, W, 3).
        stream: Its spikes (T, H/4, W/4).
        times: The readouts to show, each with its whole window in the stream.
        exposure, tile: As for `deblur_sequence`.

    Returns:
        Sharp frames, RGB uint8 (H, W, 3), each computed when it is asked for.

    Raises:
        InvalidValueError: As for `deblur_sequence`; before any frame is computed, but where memory runs out.
    """
    require_instance(network, "network", DeblurringNetwork)
    array, times = require_blur(blur), require_times(times)
    image = torch.from_numpy(planes(array)).to(next(network.parameters()).device)
    render = rendering(network, PackedView(image, stream, exposure), times, tile)
    # `map`, not a loop: no frame is kept while the next is computed.
    return map(_levels, map(render, times))


class TorchDeblurrer(Deblurrer):
    """A network that torch computes, on the device that it is on.

    Args:
        network: Any network that deblurs, such as LDN.
        v_th: Thresholds of the spikes it was trained on, as far as they are known.

    Raises:
        InvalidValueError: `network` deblurs nothing, or a threshold is not positive.
    """

    engine = "torch"

    def __init__(self, network: DeblurringNetwork, v_th: Sequence[float] = ()) -> None:
        self._network = require_instance(network, "network", DeblurringNetwork)
        self.title, self.length, self.v_th = network.title, network.length, require_thresholds(v_th)

    def frames(
        self,
        blur: np.ndarray,
        stream: SpikeStream,
        times: Sequence[int],
        exposure: tuple[int, int],
        tile: int | None = None,
    ) -> Iterator[np.ndarray]:
        return deblur_frames(self._network, blur, stream, times, exposure, tile)

    def weights(self) -> Iterator[np.ndarray]:
        return (parameter.detach().cpu().numpy() for parameter in self._network.parameters())


def rendering(
    network: DeblurringNetwork, spikes: StreamView, times: Sequence[int], tile: int | None = None
) -> Callable[[int], Tensor]:
    """The function that gives the sharp images (3, H, W) of a blurry one at any of some times.

    What is refused is refused here, before any image is computed.

    Args:
        network: Any network that deblurs.
        spikes: The blurry image, and a view of its stream.
        times, tile: As for `deblur_sequence`.

    Raises:
        InvalidValueError: As for `deblur_sequence`.
    """
    require_instance(network, "network", DeblurringNetwork)
    times = require_times(times)
    blur = require_instance(spikes, "spikes", StreamView).blur  # type: ignore[type-abstract]
    for time in times:
        span(time, network.length, spikes.shape[0])
    image = blur[None]
    network.check(image, torch.empty((1, network.length, *spikes.shape[1:]), device="meta"))
    with _computing(network, image):
        render = _rendering(network, image, tile)

    def sharp(time: int) -> Tensor:
        with _computing(network, image):
            return render(network.prepare(spikes, time))[0]

    return sharp


def _rendering(network: DeblurringNetwork, blur: Tensor, tile: int | None) -> Renderer:
    """The network with a blurry image (1, 3, H, W), in tiles where that is asked for or the image is large."""
    if tile is not None:
        tile = require_whole(tile, "tile", unit="pixels")
    elif network.has_tiles and blur[0, 0].numel() > LARGE:
        tile = TILE
    return network.renderer(blur) if tile is None else network.tiled_renderer(blur, tile)


@contextmanager
def _computing(network: DeblurringNetwork, blur: Tensor) -> Iterator[None]:
    """Compute for inference alone, as precisely on a GPU as on a CPU, and explain exhausted memory."""
    try:
        with torch.inference_mode(), full_precision(blur.device):
            yield
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        height, width = blur.shape[2:]
        advice = f"take smaller tiles (--tile {LEAST_SIDE} is least)" if network.has_tiles else "take a smaller image"
        raise out_of_memory(height, width, advice) from error


@torch.inference_mode()
def _levels(frame: Tensor) -> np.ndarray:
    """RGB (3, H, W) in [0, 1], which is overwritten, as uint8 (H, W, 3)."""
    return frame.mul_(255).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy(force=True)
