"""The multi-exposure network as an ONNX model: the layers of `ssdm_models.multi_exposure`, written for OpenCV.

Image and planes are one input, side by side, of one convolution. Transposed convolutions of 2×2 in steps of 2 are
convolutions of 1×1 whose channels are moved into pixels, which OpenCV computes faster.
"""

from collections.abc import Mapping

import numpy as np

from spikesim_datasets.optics import SCALE
from ssdm_models.exposure_spans import PLANES
from ssdm_models.without_torch.onnx_model import Attribute, model, node

_IMAGE = 3 * SCALE**2

LAYERS = {
    "image_in": (64, _IMAGE, 3, 3), "planes_in": (64, PLANES, 3, 3),
    "fine_in.first": (64, 64, 3, 3), "fine_in.second": (64, 64, 3, 3),
    "down": (96, 64, 2, 2),
    "coarse_in.first": (96, 96, 3, 3), "coarse_in.second": (96, 96, 3, 3),
    "down_again": (96, 96, 2, 2),
    "coarsest.first": (96, 96, 3, 3), "coarsest.second": (96, 96, 3, 3),
    "up": (96, 96, 2, 2),
    "coarse_out.first": (96, 96, 3, 3), "coarse_out.second": (96, 96, 3, 3),
    "up_again": (96, 64, 2, 2),
    "fine_out.0.first": (64, 64, 3, 3), "fine_out.0.second": (64, 64, 3, 3),
    "fine_out.1.first": (64, 64, 3, 3), "fine_out.1.second": (64, 64, 3, 3),
    "output": (_IMAGE, 64, 3, 3),
}  # fmt: skip
"""Shapes of the layers' weights, in the order of `MultiExposure`: (out, in, h, w); of those up, (in, out, h, w)."""


def weight_shapes() -> dict[str, tuple[int, ...]]:
    """Shapes of the network's tensors by name, in the order of its layers; all layers but `planes_in` have a bias."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, shape in LAYERS.items():
        shapes[f"{layer}.weight"] = shape
        if layer != "planes_in":
            shapes[f"{layer}.bias"] = (shape[1 if layer.startswith("up") else 0],)
    return shapes


def multi_exposure_model(weights: Mapping[str, np.ndarray], height: int, width: int) -> bytes:
    """The network of some weights for images of one size.

    Args:
        weights: By name, float32, of `weight_shapes`.
        height, width: Of the spikes, multiples of 4.

    Returns:
        An ONNX model. It takes `seen` (1, 48 + `PLANES`, h, w), the folded image and the planes, and gives `change`
        (1, 48, h, w), what is added to the folded image.
    """
    graph = _Graph(weights)
    image, planes = (weights[f"{layer}.weight"] for layer in ("image_in", "planes_in"))
    first = np.concatenate([image, planes], 1)
    fine = graph.block("fine_in", graph.convolution("seen", first, weights["image_in.bias"], "first", padding=1))
    coarse = graph.block("coarse_in", graph.layer(fine, "down", stride=2))
    coarsest = graph.block("coarsest", graph.layer(coarse, "down_again", stride=2))
    coarse = graph.block("coarse_out", graph.add(coarse, graph.unfolded(coarsest, "up")))
    fine = graph.add(fine, graph.unfolded(coarse, "up_again"))
    for block in ("fine_out.0", "fine_out.1"):
        fine = graph.block(block, fine)
    change = graph.layer(fine, "output", padding=1)
    sizes = {"seen": (1, first.shape[1], height, width), change: (1, len(weights["output.bias"]), height, width)}
    return model(graph.nodes, graph.constants, sizes)


class _Graph:
    """A graph that grows node by node; every method gives the name of what its last node gives."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.nodes: list[bytes] = []
        self.constants: dict[str, np.ndarray] = {}
        self._weights = weights

    def layer(self, features: str, name: str, stride: int = 1, padding: int = 0) -> str:
        """A convolution with the weights of a layer."""
        weight, bias = (self._weights[f"{name}.{part}"] for part in ("weight", "bias"))
        return self.convolution(features, weight, bias, name, stride, padding)

    def unfolded(self, features: str, name: str) -> str:
        """A transposed convolution with the weights (in, out, 2, 2) of a layer."""
        weight, bias = (self._weights[f"{name}.{part}"] for part in ("weight", "bias"))
        by_pixel = weight.transpose(1, 2, 3, 0).reshape(-1, weight.shape[0], 1, 1)
        folded = self.convolution(features, by_pixel, bias.repeat(4), f"{name}.folded")
        return self._node("DepthToSpace", [folded], name, blocksize=2, mode="CRD")

    def block(self, name: str, features: str) -> str:
        """A residual block."""
        inner = self._node("Relu", [self.layer(features, f"{name}.first", padding=1)], f"{name}.relu")
        return self.add(features, self.layer(inner, f"{name}.second", padding=1))

    def add(self, one: str, other: str) -> str:
        return self._node("Add", [one, other], f"{one}+{other}")

    def convolution(
        self, features: str, weight: np.ndarray, bias: np.ndarray, name: str, stride: int = 1, padding: int = 0
    ) -> str:
        names = [f"{name}.weight", f"{name}.bias"]
        self.constants.update(zip(names, (weight, bias), strict=True))
        sides = {"kernel_shape": weight.shape[2:], "strides": [stride] * 2, "pads": [padding] * 4}
        return self._node("Conv", [features, *names], name, **sides)

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Attribute) -> str:
        self.nodes.append(node(operator, inputs, output, **attributes))
        return output
