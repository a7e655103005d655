"""The multi-exposure network as ONNX models: the layers of `ssdm_models.multi_exposure`, written for OpenCV.

What depends on the image alone is a model of its own, computed once for all times. Transposed convolutions of 2×2 in
steps of 2 are convolutions of 1×1 whose channels are moved into pixels, which OpenCV computes faster.
"""

from collections.abc import Mapping

import numpy as np

from spikesim_datasets.optics import SCALE
from ssdm_models.exposure_spans import PLANES
from ssdm_models.without_torch.onnx_model import Attribute, Shapes, model, node

_IMAGE = 3 * SCALE**2
_FINE, _COARSE = 64, 96

LAYERS = {
    "image_in": (_FINE, _IMAGE, 3, 3), "planes_in": (_FINE, PLANES, 3, 3),
    "fine_in.first": (_FINE, _FINE, 3, 3), "fine_in.second": (_FINE, _FINE, 3, 3),
    "down": (_COARSE, _FINE, 2, 2),
    "coarse_in.first": (_COARSE, _COARSE, 3, 3), "coarse_in.second": (_COARSE, _COARSE, 3, 3),
    "down_again": (_COARSE, _COARSE, 2, 2),
    "coarsest.first": (_COARSE, _COARSE, 3, 3), "coarsest.second": (_COARSE, _COARSE, 3, 3),
    "up": (_COARSE, _COARSE, 2, 2),
    "coarse_out.first": (_COARSE, _COARSE, 3, 3), "coarse_out.second": (_COARSE, _COARSE, 3, 3),
    "up_again": (_COARSE, _FINE, 2, 2),
    "fine_out.0.first": (_FINE, _FINE, 3, 3), "fine_out.0.second": (_FINE, _FINE, 3, 3),
    "fine_out.1.first": (_FINE, _FINE, 3, 3), "fine_out.1.second": (_FINE, _FINE, 3, 3),
    "output": (_IMAGE, _FINE, 3, 3),
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


def image_model(weights: Mapping[str, np.ndarray], height: int, width: int) -> bytes:
    """The part of the network that sees the image, for images of one size.

    Args:
        weights: By name, float32, of `weight_shapes`.
        height, width: Of the spikes, multiples of 4.

    Returns:
        An ONNX model. It takes `image` (1, 48, h, w), folded, and gives `encoded` (1, 64, h, w).
    """
    graph = _Graph(weights)
    graph.layer("image", "image_in", padding=1, output="encoded")
    return graph.model({"image": (1, _IMAGE, height, width)}, {"encoded": (1, _FINE, height, width)})


def planes_model(weights: Mapping[str, np.ndarray], height: int, width: int) -> bytes:
    """The rest of the network.

    Args:
        weights, height, width: As for `image_model`.

    Returns:
        An ONNX model. It takes `planes` (1, `PLANES`, h, w) and `encoded`, and gives `change` (1, 48, h, w), what is
        added to the folded image.
    """
    graph = _Graph(weights)
    fine = graph.block("fine_in", graph.add(graph.layer("planes", "planes_in", padding=1), "encoded"))
    coarse = graph.block("coarse_in", graph.layer(fine, "down", stride=2))
    coarsest = graph.block("coarsest", graph.layer(coarse, "down_again", stride=2))
    coarse = graph.block("coarse_out", graph.add(coarse, graph.unfolded(coarsest, "up")))
    fine = graph.add(fine, graph.unfolded(coarse, "up_again"))
    for block in ("fine_out.0", "fine_out.1"):
        fine = graph.block(block, fine)
    graph.layer(fine, "output", padding=1, output="change")
    inputs = {"planes": (1, PLANES, height, width), "encoded": (1, _FINE, height, width)}
    return graph.model(inputs, {"change": (1, _IMAGE, height, width)})


class _Graph:
    """A graph that grows node by node; every method gives the name of what its last node gives."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._nodes: list[bytes] = []
        self._constants: dict[str, np.ndarray] = {}
        self._weights = weights

    def model(self, inputs: Shapes, outputs: Shapes) -> bytes:
        return model(self._nodes, self._constants, inputs, outputs)

    def layer(self, features: str, name: str, stride: int = 1, padding: int = 0, output: str = "") -> str:
        """A convolution with the weights of a layer; what it gives has the layer's name or another."""
        for part in ("weight", "bias"):
            if (weight := self._weights.get(f"{name}.{part}")) is not None:
                self._constants[f"{name}.{part}"] = weight
        return self._convolution(features, name, output or name, stride, padding)

    def unfolded(self, features: str, name: str) -> str:
        """A transposed convolution with the weights (in, out, 2, 2) of a layer."""
        weight, bias = (self._weights[f"{name}.{part}"] for part in ("weight", "bias"))
        self._constants[f"{name}.weight"] = weight.transpose(1, 2, 3, 0).reshape(-1, weight.shape[0], 1, 1)
        self._constants[f"{name}.bias"] = bias.repeat(4)
        folded = self._convolution(features, name, f"{name}.folded")
        return self._node("DepthToSpace", [folded], name, blocksize=2, mode="CRD")

    def block(self, name: str, features: str) -> str:
        """A residual block."""
        inner = self._node("Relu", [self.layer(features, f"{name}.first", padding=1)], f"{name}.relu")
        return self.add(features, self.layer(inner, f"{name}.second", padding=1))

    def add(self, one: str, other: str) -> str:
        return self._node("Add", [one, other], f"{one}+{other}")

    def _convolution(self, features: str, name: str, output: str, stride: int = 1, padding: int = 0) -> str:
        held = [f"{name}.{part}" for part in ("weight", "bias") if f"{name}.{part}" in self._constants]
        sides = {
            "kernel_shape": self._constants[held[0]].shape[2:],
            "strides": [stride] * 2,
            "pads": [padding] * 4,
        }
        return self._node("Conv", [features, *held], output, **sides)

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Attribute) -> str:
        self._nodes.append(node(operator, inputs, output, **attributes))
        return output
