"""The network in the box under OpenCV's dnn module, which the core installation has, beside torch.

The multi-exposure network is exported to ONNX: image and planes side by side, and instead of transposed convolutions
1×1 convolutions whose channels are shuffled, which dnn computes faster. One pass for a frame of 1280×720 is timed with
one thread and with those of both cores; engines of dnn and torch alternate; the table shows the minimum of nine, how
many times torch's that is, and by how much the results differ. Where torch is missing dnn would be worth its code with
at most 1.5 times.

Needs the package onnx, to export.

    python benchmarks/opencv_dnn.py
"""

import io
import time
import warnings
from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from ssdm_models import pretrained
from ssdm_models.exposures import PLANES
from ssdm_models.memory_format import channels_last
from ssdm_models.multi_exposure import MultiExposure, ResidualBlock

HEIGHT, WIDTH, ROUNDS = 180, 320, 9
ENGINES = {"dnn, classic engine": cv2.dnn.ENGINE_CLASSIC, "dnn, new engine": cv2.dnn.ENGINE_NEW}


class Exported(nn.Module):
    """The network's change of a folded image, of the image and planes side by side."""

    def __init__(self, network: MultiExposure) -> None:
        super().__init__()
        self.network = network
        image, planes = network.image_in, network.planes_in
        self.first = nn.Conv2d(image.in_channels + planes.in_channels, image.out_channels, 3, padding=1)
        self.first.weight.data = torch.cat([image.weight, planes.weight], 1)
        self.first.bias = image.bias
        self.up, self.up_again = shuffled(network.up), shuffled(network.up_again)

    def forward(self, seen: Tensor) -> Tensor:
        network = self.network
        fine = block(network.fine_in, self.first(seen))
        coarse = block(network.coarse_in, network.down(fine))
        coarsest = block(network.coarsest, network.down_again(coarse))
        fine = fine + self.up_again(block(network.coarse_out, coarse + self.up(coarsest)))
        for residual in network.fine_out:
            fine = block(residual, fine)
        change: Tensor = network.output(fine)
        return change


def block(residual: ResidualBlock, features: Tensor) -> Tensor:
    changed: Tensor = features + residual.second(residual.first(features).relu())
    return changed


def shuffled(transposed: nn.ConvTranspose2d) -> nn.Sequential:
    """A transposed convolution of 2×2 in steps of 2 as a convolution of 1×1 whose channels become pixels."""
    into, out = transposed.weight.shape[:2]
    convolution = nn.Conv2d(into, 4 * out, 1)
    convolution.weight.data = transposed.weight.data.permute(1, 2, 3, 0).reshape(4 * out, into, 1, 1)
    assert transposed.bias is not None
    convolution.bias.data = transposed.bias.data.repeat_interleave(4)  # type: ignore[union-attr]
    return nn.Sequential(convolution, nn.PixelShuffle(2))


def seconds(compute: Callable[[], object]) -> float:
    began = time.perf_counter()
    compute()
    return time.perf_counter() - began


def main() -> None:
    try:
        import onnx  # noqa: F401  torch's exporter needs it
    except ImportError:
        print("needs the package onnx: pip install onnx")
        return
    network, channels = pretrained(), 48 + PLANES
    seen = torch.rand(1, channels, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the other exporter needs more packages
        torch.onnx.export(Exported(network).eval(), (seen,), file, dynamo=False, opset_version=13)
    image, planes = channels_last(seen[:, :48]), channels_last(seen[:, 48:])

    @torch.inference_mode()
    def by_torch() -> np.ndarray:
        return network._refine(network.planes_in(planes).add_(network.image_in(image))).numpy()

    def by_engine(engine: int) -> Callable[[], np.ndarray]:
        loaded = cv2.dnn.readNetFromONNX(np.frombuffer(file.getvalue(), np.uint8), engine)

        def compute() -> np.ndarray:
            loaded.setInput(seen.numpy())
            return loaded.forward()  # type: ignore[no-any-return]

        return compute

    made = {"torch": by_torch, **{name: by_engine(engine) for name, engine in ENGINES.items()}}
    results = {name: compute() for name, compute in made.items()}
    print(f"{'':22}{'threads':>9}{'ms':>7}{'times torch':>13}{'differs by':>13}")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        rounds = [{name: seconds(compute) for name, compute in made.items()} for _ in range(ROUNDS)]
        best = {name: min(one[name] for one in rounds) for name in made}
        for name, least in best.items():
            difference = np.abs(results[name] - results["torch"]).max()
            print(f"{name:22}{threads:9}{1000 * least:7.0f}{least / best['torch']:13.2f}{difference:13.1e}")


if __name__ == "__main__":
    main()
