"""Warping and complementary flow reversal as XVFI-Net does them."""

import torch
from torch import Tensor

from spikesim_datasets.interpolation.networks.layers import sample

_COVERED = 0.999  # share of a warped pixel that must lie inside the image for it to count
_LEAST_IMPORTANCE = 1e-5
_UNIT = 2.0**-36  # splats are summed as whole numbers of these, so that their order changes nothing


def warp(image: Tensor, flow: Tensor, origin: tuple[int, int] = (0, 0)) -> Tensor:
    """Warp an image backwards, with zeros wherever it does not cover a pixel whole.

    Args:
        image: (N,C,H,W).
        flow: From pixels of the result to those of the image, columns and rows, (K,2,h,w).
        origin: Row and column of the result's first pixel.

    Returns:
        (K,C,h,w).
    """
    height, width = image.shape[2:]
    rows, columns = (axis + part for axis, part in zip(_axes(flow, origin), (flow[:, 1], flow[:, 0]), strict=True))
    covered = _covered(rows, height) * _covered(columns, width) >= _COVERED
    return sample(image, columns, rows, "zeros").mul_(covered[:, None])


def _covered(position: Tensor, length: int) -> Tensor:
    """The share of a bilinear sample's weight that falls inside an axis."""
    return torch.minimum(position + 1, length - position).clamp(0, 1)


def _axes(flow: Tensor, origin: tuple[int, int] = (0, 0)) -> tuple[Tensor, Tensor]:
    """Row (h,1) and column (w,) of each pixel of an image of flow, counted from an origin."""
    rows, columns = (
        torch.arange(start, start + count, dtype=flow.dtype, device=flow.device)
        for start, count in zip(origin, flow.shape[2:], strict=True)
    )
    return rows[:, None], columns


def flow_at(flow: Tensor, importance: Tensor, times: Tensor) -> Tensor:
    """Complementary flow reversal: flow from the pixels at a time to both frames (Eq. 1 and 2 of the paper).

    A pixel of frame 0 or 1 whose flow is f01 or f10 lands at t·f01 or (1-t)·f10, and moves by f01 or -f10 from frame 0
    to frame 1. F is the mean of all motions that land near a pixel, those of frame 0 with weight 1-t, those of frame 1
    with t, times their importance and nearness. The flows from there are -t·F and (1-t)·F.

    Args:
        flow: Flow 0→1 and 1→0, (N,4,h,w).
        importance: Of their pixels, in [0,1], (N,2,h,w).
        times: (K,1,1,1).

    Returns:
        Flow t→0 and t→1, (K,4,h,w); 0 where nothing lands.
    """

    def landing(motion: Tensor, way: Tensor, importance: Tensor, share: Tensor) -> Tensor:
        weight = share * (importance + _LEAST_IMPORTANCE)
        return splat(torch.cat([weight * motion, weight], 1), way * motion)

    from0 = landing(flow[:, :2], times, importance[:, :1], 1 - times)
    from1 = landing(-flow[:, 2:], times - 1, importance[:, 1:], times)
    weighted, weight = (from0 + from1).split([2, 1], 1)
    mean = weighted / weight.masked_fill(weight == 0, 1)
    return torch.cat([-times * mean, (1 - times) * mean], 1)


def splat(content: Tensor, flow: Tensor) -> Tensor:
    """Carry pixels along a flow, each to the four pixels around where it lands, weighted by exp(-distance²), and sum.

    The sum has the same bits in any order: on a GPU, and on any number of threads.

    Args:
        content: (K,C,h,w).
        flow: Columns and rows, (K,2,h,w).

    Returns:
        (K,C,h,w); what lands outside is lost.
    """
    height, width = flow.shape[2:]
    rows, columns = _axes(flow)
    first = flow.floor()
    landed = content.new_zeros(content.shape, dtype=torch.int64).flatten(2)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        x, y = first[:, :1] + right, first[:, 1:] + down
        nearness = torch.exp(-((flow[:, :1] - x) ** 2 + (flow[:, 1:] - y) ** 2))
        x, y = x + columns, y + rows
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        places = y.long().clamp(0, height - 1) * width + x.long().clamp(0, width - 1)
        units = (content * torch.where(inside, nearness, 0)).double().div_(_UNIT).round_().long()
        landed.scatter_add_(2, places.flatten(2).expand_as(landed), units.flatten(2))
    return landed.double().mul_(_UNIT).to(content.dtype).view(content.shape)
