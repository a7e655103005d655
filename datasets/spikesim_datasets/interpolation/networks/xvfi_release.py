"""XVFI-Net with the weights its authors published, which allow research and education only."""

import torch

from spikesim.checks import require_whole
from spikesim.errors import InputFileError
from spikesim_datasets.interpolation.networks.layers import ready_for_inference
from spikesim_datasets.interpolation.networks.xvfi_network import Xvfi
from spikesim_datasets.torch_tools.state_dicts import Slot, Weights, fill, origin_of, read_tensors

__all__ = ["SCALES", "load_released"]

SCALES = 5
"""Times features are halved to the coarsest level, as in the evaluation that the weights were published with."""


def load_released(path_or_state_dict: Weights, scales: int | None = None) -> Xvfi:
    """Load XVFI-Net with the weights its authors published; they allow research and education only.

    Args:
        path_or_state_dict: The training checkpoint `XVFInet_X4K1000FPS_exp1_latest.pt` (tensors alone are read, no code
            is run), or what it holds by name.
        scales: Times the features are halved to the coarsest level; None takes `SCALES`. More reach further, and
            frames are padded to multiples of 16 · 2^scales.

    Returns:
        The network: `net(frame0, frame1, t)` takes frames float (N,3,H,W), RGB in [0,1], of any size, and a time, and
        gives frames of the same shape, not clipped.

    Raises:
        InputFileError: The file is missing, damaged or none of tensors alone, or the tensors are not those of XVFI-Net.
        InvalidValueError: Scales is negative.
    """
    scales = SCALES if scales is None else require_whole(scales, "scales", 0)
    tensors = read_tensors(path_or_state_dict, "state_dict_Model")
    known = tensors.get("rec_ctx_ds.bias")
    if known is None or known.ndim != 1 or known.numel() % 4:
        raise InputFileError(
            f"{origin_of(path_or_state_dict)} does not fit XVFI: rec_ctx_ds.bias, which tells the number of channels, "
            f"is {'missing' if known is None else tuple(known.shape)}; give the released file of this network"
        )
    with torch.device("meta"):
        network = Xvfi(known.numel(), scales)
    fill(network, slots(network), tensors, path_or_state_dict)
    return ready_for_inference(network)


_RELEASED_NAMES = {
    "features.enter": ("channel_converter.0", "rec_ext_ds_module.0.0"),
    "features.halve": ("rec_ext_ds", "rec_ext_ds_module.1", "rec_ext_ds_module.3"),
    "features.leave": ("rec_ext_ds_module.5",),
    "features.residual.0.first": ("rec_ext_ds_module.6.resblock1.conv3x3_1",),
    "features.residual.0.second": ("rec_ext_ds_module.6.resblock1.conv3x3_2",),
    "features.residual.1.first": ("rec_ext_ds_module.6.resblock2.conv3x3_1",),
    "features.residual.1.second": ("rec_ext_ds_module.6.resblock2.conv3x3_2",),
    "halve": ("rec_ctx_ds",),
    "compare": ("vfinet.conv_flow1",),
    "mix": ("vfinet.conv_flow3.0",),
    "refine.bottom": ("vfinet.refine_unet.dec0",),
    "refine.last": ("vfinet.refine_unet.dec3",),
    **{f"refine.down.{i}": (f"vfinet.refine_unet.enc{i + 1}",) for i in range(3)},
    **{f"refine.up.{i}": (f"vfinet.refine_unet.dec{i + 1}",) for i in range(2)},
    **{f"unused.{i}": (f"vfinet.refine_unet.conv{i + 1}",) for i in range(2)},
    **{
        f"{ours}.{part}": (f"vfinet.{theirs}.{number}",)
        for ours, theirs, numbers in (
            ("coarsest_flow", "conv_flow_bottom", (0, 2, 5, 8, 10)),
            ("finer_flow", "conv_flow2", (0, 2, 5, 8, 10)),
            ("flow_at_time", "conv_flow3", (2, 4, 7, 10, 12)),
        )
        for part, number in zip(("down.0", "down.1", "up.0", "up.1", "last"), numbers, strict=True)
    },
}


def slots(network: Xvfi) -> list[Slot]:
    """What the released files call the parameters of a network."""
    found = []
    for name, parameter in network.named_parameters():
        module, _, kind = name.rpartition(".")
        # The released code convolves both frames at once, in three dimensions, with a depth of 1.
        deep = kind == "weight" and (module == "halve" or module.startswith("features."))
        shape = (*parameter.shape[:2], 1, *parameter.shape[2:]) if deep else tuple(parameter.shape)
        found.append(Slot(name, tuple(f"{released}.{kind}" for released in _RELEASED_NAMES[module]), shape))
    return found
