"""Speed of LDN for the seven frames of an exposure, compared with seven calls of a plain implementation.

Both use the same random weights at 1280×720. `plain` runs the whole network for each frame, as in the paper: image and
features are concatenated before the last convolution, in torch's default memory layout. `deblur_sequence` encodes the
blurry image once. The two alternate; the table shows the minimum of five runs each, and the largest difference between
their images.

    python benchmarks/student.py
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from spikesim_datasets.exposure import ExposurePlan
from ssdm_models.deblur import deblur_sequence
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
    network = LDN().eval()
    blur = torch.rand(3, HEIGHT, WIDTH)
    spikes = torch.rand(PLAN.stream_length, HEIGHT // 4, WIDTH // 4).round()
    times = PLAN.sharp_readouts("sequence")
    scale = intensity_scale(blur[None], long_exposure(spikes, PLAN.exposure)[None])
    normalised = windows(spikes, times, network.length) * scale
    rounds = [
        (
            timed(lambda: torch.cat([plain(network, blur[None], around[None]) for around in normalised])),
            timed(lambda: deblur_sequence(network, blur, spikes, times, PLAN.exposure)),
        )
        for _ in range(ROUNDS)
    ]
    slow, fast = (min(seconds for seconds, _ in column) for column in zip(*rounds, strict=True))
    (_, expected), (_, sharp) = rounds[-1]
    print(f"{'plain s':>10}{'sequence s':>12}{'ratio':>8}{'difference':>12}")
    print(f"{slow:10.2f}{fast:12.2f}{slow / fast:8.2f}{float((sharp - expected).abs().max()):12.1e}")


if __name__ == "__main__":
    main()
