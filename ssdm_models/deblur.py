"""Deblurring with a trained student: one blurry image and its spikes to a sharp sequence."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor

from spikesim import SpikeStream, to_torch
from spikesim.errors import InvalidValueError
from spikesim.gpu.devices import full_precision, ran_out
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.optics import planes
from ssdm_models.intensity import intensity_scale
from ssdm_models.ldn import LDN
from ssdm_models.tiled_deblurring import LEAST_SIDE, TiledDeblurring
from ssdm_models.windows import long_exposure, span, window, within

_PLAN = ExposurePlan()

FRAMES = len(_PLAN.sharp_readouts("sequence"))
"""Sharp images of an exposure where no number is given."""

LARGE = 3_000_000
"""Pixels over which an image is computed in tiles where nothing is said: one piece is slower from here on."""

TILE = 512
"""Side of those tiles: larger and smaller ones are slower on a CPU."""


def deblur_sequence(
    network: LDN,
    blur: Tensor,
    spikes: Tensor,
    readouts: Sequence[int],
    exposure: tuple[int, int],
    tile: int | None = None,
) -> Tensor:
    """The sharp images at several times; the blurry image is encoded once.

    Times are computed one after the other, so that memory does not grow with their number.

    Args:
        network: The student.
        blur: Blurry image (3, H, W), RGB in [0, 1], on the network's device.
        spikes: Its stream (T, H/4, W/4) of 0 and 1, on the network's device.
        readouts: The S times, each with its whole window in the stream.
        exposure: First readout of the blurry image's exposure, and the one after its last: what tells how much light
            a spike is (`intensity.intensity_scale`).
        tile: Side of the tiles to compute in, pixels, at least 64; None computes images of over 3 megapixels in tiles
            of 512, smaller ones in one piece. Results are equal but for rounding.

    Returns:
        Sharp images (S, 3, H, W), RGB, not clipped: `network(blur, light)` of the light around each time.

    Raises:
        InvalidValueError: A window or the exposure reaches outside the stream, the spikes are not a quarter of the
            image, the tile is too small, or memory ran out.
    """
    windows = [window(spikes, readout, network.readouts) for readout in readouts]
    gain = intensity_scale(blur[None], long_exposure(spikes, exposure)[None])[0]
    sharp = blur.new_empty((len(readouts), *blur.shape))
    render = _renderer(network, blur, spikes.shape[1:], tile)
    for row, around in zip(sharp, windows, strict=True):
        row.copy_(render(around * gain))
    return sharp


def deblur_frames(
    network: LDN,
    blur: np.ndarray,
    stream: SpikeStream,
    readouts: Sequence[int],
    exposure: tuple[int, int],
    tile: int | None = None,
) -> Iterator[np.ndarray]:
    """The sharp frames at several times; of the stream, only the spikes around one time are unpacked.

    Args:
        network: The student.
        blur: Blurry image, RGB uint8 (H, W, 3).
        stream: Its spikes (T, H/4, W/4).
        readouts, exposure, tile: As for `deblur_sequence`.

    Returns:
        Sharp frames, RGB uint8 (H, W, 3), each computed when it is asked for.

    Raises:
        InvalidValueError: As for `deblur_sequence`; before any frame is computed, but where memory runs out.
    """
    device = next(network.parameters()).device
    parts = [stream[span(readout, network.readouts, len(stream))] for readout in readouts]
    during = within(exposure, len(stream))
    image = torch.from_numpy(planes(blur)).to(device)
    gain = intensity_scale(image[None], torch.full((1, 1, 1, 1), stream[during].rate, device=device))[0]
    render = _renderer(network, image, stream.shape[1:], tile)
    # `map`, not a loop: no frame is kept while the next is computed.
    return map(_levels, map(render, (to_torch(part, device) * gain for part in parts)))


def usual_exposure(readouts: int) -> tuple[int, int] | None:
    """The exposure of the release, which lies in the middle of streams of 137 readouts; of others, None."""
    return _PLAN.exposure if readouts == _PLAN.stream_length else None


def frame_times(
    readouts: int, window_readouts: int, exposure: tuple[int, int] | None = None, frames: int = FRAMES
) -> tuple[int, ...]:
    """Times spread evenly over an exposure, from its first readout to its last; of one alone, the middle.

    Args:
        readouts: T, of the stream.
        window_readouts: What the network looks at around a time.
        exposure: First readout of the exposure and the one after its last. None stands for `usual_exposure`.
        frames: How many, ≥ 1.

    Raises:
        InvalidValueError: The exposure is not known, empty or not in the stream, has fewer readouts than frames are
            wanted, or a window reaches outside the stream.
    """
    exposure = exposure or usual_exposure(readouts)
    if exposure is None:
        raise InvalidValueError(
            f"in which of its {readouts} readouts the image was exposed is not known, only of streams of "
            f"{_PLAN.stream_length}; give the exposure, its first readout and the one after its last, such as "
            f"--exposure {' '.join(map(str, _PLAN.exposure))}, or the times themselves (--at)"
        )
    during = within(exposure, readouts)
    start, stop = during.start, during.stop
    if not 1 <= frames <= stop - start:
        raise InvalidValueError(
            f"an exposure of {stop - start} readouts has no {frames} different times; give fewer frames"
        )
    first, last = (start, stop - 1) if frames > 1 else ((start + stop - 1) // 2,) * 2
    least, most = window_readouts // 2, readouts - 1 - window_readouts // 2
    if first < least or last > most:
        raise InvalidValueError(_out_of_reach(first, last, least, most, readouts, window_readouts))
    return tuple(first + round(i * (last - first) / max(frames - 1, 1)) for i in range(frames))


def _out_of_reach(first: int, last: int, least: int, most: int, readouts: int, window_readouts: int) -> str:
    """What to do about times whose windows reach outside the stream."""
    looks = f"the network looks at {window_readouts} readouts around a time"
    if least > most:
        return f"{looks}, and the stream has {readouts}; give a longer recording"
    inside = max(first, least), min(last, most)
    advice = f"--exposure {inside[0]} {inside[1] + 1}, or " if inside[0] <= inside[1] else ""
    return (
        f"{looks}, so of {readouts} it can show those from {least} to {most}, not from {first} to {last}; give {advice}"
        f"a recording that goes on {window_readouts // 2} readouts before and after the exposure"
    )


def _renderer(network: LDN, blur: Tensor, size: Sequence[int], tile: int | None) -> Callable[[Tensor], Tensor]:
    """The function that gives sharp images (3, H, W) of windows of spikes (readouts, h, w).

    What depends on the blurry image (3, H, W) alone is computed here, once.
    """
    image = blur[None]
    network.check(image, torch.empty((1, network.readouts, *size), device="meta"))
    computing = partial(_computing, blur.device, *blur.shape[1:])
    with computing():
        render = _encoded(network, image, tile)

    def sharp(spikes: Tensor) -> Tensor:
        with computing():
            return render(spikes[None])[0]

    return sharp


def _encoded(network: LDN, blur: Tensor, tile: int | None) -> Callable[[Tensor], Tensor]:
    """`network` with a blurry image (1, 3, H, W), as a function of the spikes alone."""
    if tile is not None or blur[0, 0].numel() > LARGE:
        return TiledDeblurring(network, blur, tile or TILE)
    encoded = network.encode_blur(blur)
    return lambda spikes: network.fuse(encoded, network.encode_spikes(spikes))


@contextmanager
def _computing(device: torch.device, height: int, width: int) -> Iterator[None]:
    """Compute for inference alone, as precisely on a GPU as on a CPU, and explain exhausted memory."""
    try:
        with torch.inference_mode(), full_precision(device):
            yield
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        raise InvalidValueError(
            f"memory ran out on an image of {width}×{height}; take smaller tiles (--tile {LEAST_SIDE} is least)"
        ) from error


@torch.inference_mode()
def _levels(frame: Tensor) -> np.ndarray:
    """RGB (3, H, W) in [0, 1], which is overwritten, as uint8 (H, W, 3)."""
    return frame.mul_(255).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy(force=True)
