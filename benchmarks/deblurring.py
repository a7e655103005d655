"""Speed of the networks that deblur, for the seven frames of an exposure of 1280×720, and for its middle one.

`plain` is LDN as in the paper, the whole network for each frame: image and features are concatenated before the last
convolution, in torch's default memory layout. `LDN` is `deblur_sequence`, which encodes the blurry image once. The two
use the same random weights. `multi-exposure` is the network that comes with spikesim. LDN and the latter are also timed
by `deblur_frames`, from a packed stream to images of bytes, of seven frames and of one. All alternate; the table shows
the minimum of five runs each, and how many times as fast as `plain`, which makes seven, that is.

    python benchmarks/deblurring.py
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from spikesim import SpikeStream
from spikesim_datasets.exposure import ExposurePlan
from ssdm_models import pretrained
from ssdm_models.deblur import deblur_frames, deblur_sequence
from ssdm_models.deblurring_network import DeblurringNetwork
from ssdm_models.intensity import intensity_scale
from ssdm_models.ldn import LDN
from ssdm_models.windows import long_exposure, windows

HEIGHT, WIDTH, ROUNDS = 720, 1280, 5
PLAN = ExposurePlan()


def plain(network: LDN, blur: Tensor, spikes: Tensor) -> Tensor:
    """One sharp image (1, 3, H, W) of a blurry one and normalised spikes around a time (1, length, H/4, W/4)."""
    features = torch.cat([network.blur_encoder(blur), network.spike_encoder(spikes)], 1)
    pooled = (features.mean((2, 3), keepdim=True), features.amax((2, 3), keepdim=True))
    features = features * sum(map(network.channel_attention, pooled)).sigmoid()
    places = torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], 1)
    features = features * network.spatial_attention(places).sigmoid()
    for residual in network.residuals:
        features = features + residual(features)
    sharp: Tensor = network.output(torch.cat([blur, network.decoder(features)], 1))
    return sharp


def timed(make: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """Seconds that images take to make, and the images."""
    began = time.perf_counter()
    made = make()
    return time.perf_counter() - began, made


@torch.inference_mode()
def main() -> None:
    torch.manual_seed(0)
    network, shipped = LDN().eval(), pretrained()
    image = torch.randint(256, (HEIGHT, WIDTH, 3), dtype=torch.uint8)
    blur = image.permute(2, 0, 1).float() / 255
    spikes = torch.rand(PLAN.stream_length, HEIGHT // 4, WIDTH // 4).round()
    stream = SpikeStream.from_dense(spikes.byte().numpy())
    times, exposure = PLAN.sharp_readouts("sequence"), PLAN.exposure
    scale = intensity_scale(blur[None], long_exposure(spikes, exposure)[None])
    normalised = windows(spikes, times, network.length) * scale
    made = {
        "plain": lambda: torch.cat([plain(network, blur[None], around[None]) for around in normalised]),
        "LDN": lambda: deblur_sequence(network, blur, spikes, times, exposure),
        "multi-exposure": lambda: deblur_sequence(shipped, blur, spikes, times, exposure),
        "LDN, frames": lambda: frames(network, image, stream, times),
        "multi-exposure, frames": lambda: frames(shipped, image, stream, times),
        "LDN, one frame": lambda: frames(network, image, stream, PLAN.sharp_readouts("middle")),
        "multi-exposure, one frame": lambda: frames(shipped, image, stream, PLAN.sharp_readouts("middle")),
    }
    rounds = [{name: timed(make) for name, make in made.items()} for _ in range(ROUNDS)]
    best = {name: min(one[name][0] for one in rounds) for name in made}
    print(f"{'':26}{'seconds':>8}{'times as fast':>15}")
    for name, seconds in best.items():
        print(f"{name:26}{seconds:8.2f}{best['plain'] / seconds:15.2f}")
    difference = (rounds[-1]["LDN"][1] - rounds[-1]["plain"][1]).abs().max()
    print(f"LDN differs from plain by {float(difference):.1e} at most")


def frames(network: DeblurringNetwork, blur: Tensor, stream: SpikeStream, times: Sequence[int]) -> Tensor:
    """The frames (S, H, W, 3) at some times of an exposure, as `spikesim deblur` makes them."""
    made = deblur_frames(network, blur.numpy(), stream, times, PLAN.exposure)
    return torch.from_numpy(np.stack(list(made)))


if __name__ == "__main__":
    main()
