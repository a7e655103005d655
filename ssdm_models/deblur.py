"""Deblurring with a trained student: one blurry image and its spikes to a sharp sequence."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ssdm_models.ldn import LDN
from ssdm_models.windows import window


@torch.inference_mode()
def deblur_sequence(network: LDN, blur: Tensor, spikes: Tensor, readouts: Sequence[int]) -> Tensor:
    """The sharp images at several times; the blurry image is encoded once.

    Times are computed one after the other, so that memory does not grow with their number.

    Args:
        network: The student.
        blur: Blurry image (3, H, W), RGB in [0, 1], on the network's device.
        spikes: Its stream (T, H/4, W/4) of 0 and 1, on the network's device.
        readouts: The S times, each with its whole window in the stream.

    Returns:
        Sharp images (S, 3, H, W), RGB, not clipped: `network(blur, window)` of each time.

    Raises:
        InvalidValueError: A window reaches outside the stream, or the spikes are not a quarter of the image.
    """
    image = blur[None]
    windows = [window(spikes, readout, network.readouts)[None] for readout in readouts]
    sharp = blur.new_empty((len(readouts), *blur.shape))
    if not windows:
        return sharp
    network.check(image, windows[0])
    encoded = network.encode_blur(image)
    for row, spikes_around in zip(sharp, windows, strict=True):
        row.copy_(network.fuse(encoded, network.encode_spikes(spikes_around))[0])
    return sharp
