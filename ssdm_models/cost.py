"""What a network costs: parameters and multiplications."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from spikesim.checks import require_instance, require_list, require_whole
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.optics import SCALE
from ssdm_models.baselines.baseline import Baseline
from ssdm_models.deblurring_network import DeblurringNetwork
from ssdm_models.stream_view import TensorView

_PLAN = ExposurePlan()


def parameters(network: nn.Module) -> int:
    """Number of a network's parameters, those that are never trained included.

    Args:
        network: Any module.

    Raises:
        InvalidValueError: It is no module.
    """
    return sum(parameter.numel() for parameter in require_instance(network, "network", nn.Module).parameters())


def macs(network: nn.Module, *shapes: Sequence[int]) -> int:
    """Multiplications with weights in one pass, counted as the field's tables do: every output sees the whole kernel.

    A transposed convolution of stride s multiplies s² times less than that, since only every s-th tap of its kernel
    meets an input: of the 33.6 G that are counted of LDN at 720×1280, 15.9 G are done.

    Args:
        network: Any network of convolutions; nothing is computed.
        shapes: Shapes of its inputs.

    Raises:
        InvalidValueError: `network` is no module, or a shape none.
    """
    nowhere = copy.deepcopy(require_instance(network, "network", nn.Module)).to("meta")
    inputs = [torch.empty(_shape(shape), device="meta") for shape in shapes]
    return _counted(lambda: nowhere(*inputs))


def deblurring_macs(network: DeblurringNetwork, height: int, width: int) -> int:
    """Multiplications with weights for one sharp image on its own, in the middle of a stream; see `macs`.

    Args:
        network: Any network that deblurs; nothing is computed.
        height, width: Of the spikes, a quarter of the image's.

    Raises:
        InvalidValueError: `network` deblurs nothing, or a side is no whole number of at least 1.
    """
    nowhere = copy.deepcopy(require_instance(network, "network", DeblurringNetwork)).to("meta")
    height, width = require_whole(height, "height", 1), require_whole(width, "width", 1)
    if isinstance(nowhere, Baseline):
        return _counted(partial(nowhere.compute_nowhere, height, width)) // nowhere.frames
    blur = torch.empty((3, SCALE * height, SCALE * width), device="meta")
    readouts = max(_PLAN.stream_length, network.length)
    spikes = TensorView(blur, torch.empty((readouts, height, width), device="meta"), _PLAN.exposure)
    return _counted(lambda: nowhere.renderer(blur[None])(nowhere.prepare(spikes, readouts // 2)))


def _shape(shape: Sequence[int]) -> list[int]:
    return [require_whole(size, "each size of shapes", 0) for size in require_list(shape, "each of shapes", "sizes")]


def _counted(compute: Callable[[], object]) -> int:
    """The multiplications of whatever is computed with tensors of the device `meta`."""

    def count(inputs: torch.Size, weight: torch.Size, *rest: Any, out_shape: torch.Size) -> int:
        _bias, _stride, _padding, _dilation, transposed, *_ = rest
        taps = weight.numel() // weight[1 if transposed else 0]
        return out_shape.numel() * taps

    def product(first: torch.Size, second: torch.Size, *_: Any, out_shape: torch.Size) -> int:
        return out_shape.numel() * first[-1]

    def sum_and_product(_: torch.Size, first: torch.Size, *__: Any, out_shape: torch.Size) -> int:
        return out_shape.numel() * first[-1]

    aten = torch.ops.aten
    mapping = {
        aten.convolution: count,
        aten.mm: product,
        aten.bmm: product,
        aten.addmm: sum_and_product,
        aten.baddbmm: sum_and_product,
    }
    counter = FlopCounterMode(display=False, custom_mapping=mapping)
    with torch.no_grad(), counter:
        compute()
    return counter.get_total_flops()
