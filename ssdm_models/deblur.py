"""Deblurring with a trained network: one blurry image and its spikes to a sharp sequence."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from spikesim import SpikeStream
from spikesim.checks import require_array, require_instance, require_whole
from spikesim.errors import InvalidValueError
from spikesim.gpu.devices import full_precision, ran_out
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.optics import planes
from ssdm_models.deblurring_network import DeblurringNetwork, Renderer
from ssdm_models.stream_view import PackedView, StreamView, TensorView
from ssdm_models.tensor_checks import require_exposure, require_one_device, require_tensor, require_times
from ssdm_models.tiled_deblurring import LEAST_SIDE
from ssdm_models.windows import span, within

_PLAN = ExposurePlan()

FRAMES = len(_PLAN.sharp_readouts("sequence"))
"""Sharp images of an exposure where no number is given."""

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
    render = _renderer(network, blur, TensorView(blur, spikes, exposure), readouts, tile)
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
    if (array := require_array(blur, "blur")).dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise InvalidValueError(f"blur must be RGB uint8 (H, W, 3), got {array.dtype} {array.shape}")
    times = require_times(times)
    image = torch.from_numpy(planes(array)).to(next(network.parameters()).device)
    render = _renderer(network, image, PackedView(image, stream, exposure), times, tile)
    # `map`, not a loop: no frame is kept while the next is computed.
    return map(_levels, map(render, times))


def usual_exposure(readouts: int) -> tuple[int, int] | None:
    """The exposure of the release, in a stream of so many readouts: in the middle of 137; of others, None."""
    return _PLAN.exposure if require_whole(readouts, "readouts") == _PLAN.stream_length else None


def frame_times(
    readouts: int, length: int, exposure: tuple[int, int] | None = None, frames: int = FRAMES
) -> tuple[int, ...]:
    """Times spread evenly over an exposure, from its first readout to its last; of one alone, the middle.

    Args:
        readouts: How many the stream has.
        length: Of the network's window around a time, readouts.
        exposure: First readout of the exposure and the one after its last. None stands for `usual_exposure`.
        frames: How many, ≥ 1.

    Raises:
        InvalidValueError: The exposure is not known, empty or not in the stream, has fewer readouts than frames are
            wanted, or a window reaches outside the stream.
    """
    readouts, length = require_whole(readouts, "readouts"), require_whole(length, "length", 1)
    exposure = usual_exposure(readouts) if exposure is None else require_exposure(exposure)
    if exposure is None:
        raise InvalidValueError(
            f"in which of its {readouts} readouts the image was exposed is not known, only of streams of "
            f"{_PLAN.stream_length}; give the exposure, its first readout and the one after its last, such as "
            f"--exposure {' '.join(map(str, _PLAN.exposure))}, or the times themselves (--at)"
        )
    during = within(exposure, readouts)
    start, stop = during.start, during.stop
    if not 1 <= require_whole(frames, "frames") <= stop - start:
        raise InvalidValueError(
            f"an exposure of {stop - start} readouts has no {frames} different times; give fewer frames"
        )
    first, last = (start, stop - 1) if frames > 1 else ((start + stop - 1) // 2,) * 2
    least, most = length // 2, readouts - 1 - length // 2
    if first < least or last > most:
        raise InvalidValueError(_out_of_reach(first, last, least, most, readouts, length))
    return tuple(first + round(i * (last - first) / max(frames - 1, 1)) for i in range(frames))


def _out_of_reach(first: int, last: int, least: int, most: int, readouts: int, length: int) -> str:
    """What to do about times whose windows reach outside the stream."""
    looks = f"the network looks at {length} readouts around a time"
    if least > most:
        return f"{looks}, and the stream has {readouts}; give a longer recording"
    inside = max(first, least), min(last, most)
    advice = f"--exposure {inside[0]} {inside[1] + 1}, or " if inside[0] <= inside[1] else ""
    return (
        f"{looks}, so of {readouts} it can show those from {least} to {most}, not from {first} to {last}; give {advice}"
        f"a recording that goes on {length // 2} readouts before and after the exposure"
    )


def _renderer(
    network: DeblurringNetwork, blur: Tensor, spikes: StreamView, times: Sequence[int], tile: int | None
) -> Callable[[int], Tensor]:
    """The function that gives the sharp images (3, H, W) of a blurry one (3, H, W) at any of some times.

    What is refused is refused here, before any image is computed.
    """
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
        raise InvalidValueError(f"memory ran out on an image of {width}×{height}; {advice}") from error


@torch.inference_mode()
def _levels(frame: Tensor) -> np.ndarray:
    """RGB (3, H, W) in [0, 1], which is overwritten, as uint8 (H, W, 3)."""
    return frame.mul_(255).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy(force=True)
