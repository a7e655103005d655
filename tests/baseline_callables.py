"""The public callables of `ssdm_models.baselines`, each with arguments that it takes; see `public_callables`."""

import torch
from deblurring_data import EXPOSURE, scene
from public_callables import Call

from ssdm_models.baselines import representations, trmd
from ssdm_models.baselines.bit import BiT
from ssdm_models.baselines.dasr import DASR
from ssdm_models.baselines.levs import LEVS
from ssdm_models.baselines.motion_etr import MotionETR
from ssdm_models.baselines.red import RED
from ssdm_models.baselines.refid import REFID
from ssdm_models.baselines.san import SAN
from ssdm_models.baselines.spkdeblurnet import SpkDeblurNet
from ssdm_models.baselines.trmd import TRMD

BASELINE_MODULES = (representations, trmd)

BASELINES = (BiT, DASR, LEVS, MotionETR, RED, REFID, TRMD)
"""Bare networks all of whose methods check what they are given; parts of SAN and SpkDeblurNet are checked before."""


def baseline_calls() -> list[Call]:
    """One call of every public callable."""
    return [*_windowed_networks(), *_warping_networks(), *_representations(), *_convolutional_networks()]


def _windowed_networks() -> list[Call]:
    still = {"blur": torch.rand(1, 3, 65, 66), "spikes": torch.zeros(1, 21, 33, 33), "tfi": torch.zeros(1, 1, 9, 9)}
    moving = {"blurs": torch.rand(1, 3, 3, 49, 49), "times": torch.zeros(1)}
    small, bit = SpkDeblurNet(dim=36, blocks=2), BiT()
    return [
        Call(SpkDeblurNet, readouts=5, dim=36, blocks=1, chained=True, shared_range=True),
        Call(SpkDeblurNet.forward, self=small, **still),
        Call(SpkDeblurNet.deblur, self=small, **still),
        Call(SpkDeblurNet.encode_blur, self=small, blur=still["blur"]),
        Call(BiT, both_directions=True),
        Call(BiT.forward, self=bit, **moving),
        Call(BiT.with_anchors, self=bit, **moving),
    ]


def _representations() -> list[Call]:
    stream = scene(32, 48).spikes
    return [
        *(
            Call(represent, stream=stream, times=[8, 12, 20], shared=True)
            for represent in (
                representations.interval_counts,
                representations.interval_events,
                representations.sums_to_middle,
            )
        ),
        Call(representations.eger, stream=stream, exposure=EXPOSURE, target=(9, 9)),
        Call(representations.voxel_grid, stream=stream, times=[8, 12, 16]),
        Call(representations.middle_tfi, stream=stream, time=9, readouts=5),
        Call(representations.half_size_readouts, stream=stream, time=9, readouts=5, ratio=2),
    ]


def _warping_networks() -> list[Call]:
    small, offsets = torch.rand(1, 3, 16, 24), torch.zeros(1, 30, 16, 24)
    both = {"blur": small[..., :16], "events": torch.zeros(1, 5, 17, 16)}
    san, levs, motion_etr = SAN(5), LEVS(), MotionETR()
    return [
        Call(SAN, channels=5),
        Call(SAN.forward, self=san, **both),
        Call(SAN.ratio, self=san, **both),
        Call(LEVS),
        Call(LEVS.forward, self=levs, blur=torch.rand(1, 3, 20, 20)),
        Call(LEVS.stages, self=levs, blur=torch.rand(1, 3, 20, 20), apart=True),
        Call(MotionETR),
        Call(MotionETR.forward, self=motion_etr, blur=small),
        Call(MotionETR.frames_at, self=motion_etr, blur=small, times=[-1, 0.5]),
        Call(MotionETR.offsets, self=motion_etr, blur=small),
        Call(MotionETR.deblurred, self=motion_etr, blur=small, offsets=offsets),
    ]


def _convolutional_networks() -> list[Call]:
    residual, upsampling = TRMD().eval(), DASR().eval()
    blurry = {"blur": torch.rand(1, 3, 8, 16), "scer": torch.rand(1, 6, 8, 16)}
    return [
        Call(RED),
        Call(RED.forward, self=RED(), blur=torch.rand(1, 1, 8, 12), events=torch.rand(1, 6, 4, 8, 12)),
        Call(TRMD, colours=1),
        Call(TRMD.forward, self=residual, **blurry),
        Call(TRMD.residuals, self=residual, **blurry),
        Call(trmd.seven_frames, blur=blurry["blur"], residuals=torch.rand(1, 6, 3, 8, 16)),
        Call(REFID, image_channels=9, frame_states=True),
        Call(REFID.forward, self=REFID(), image=torch.rand(1, 9, 8, 16), event=torch.rand(1, 2, 2, 8, 16)),
        Call(DASR),
        Call(DASR.forward, self=upsampling, lr=torch.rand(1, 3, 8, 12)),
        Call(DASR.represent, self=upsampling, lr=torch.rand(1, 3, 8, 12)),
        Call(DASR.upsample, self=upsampling, lr=torch.rand(1, 3, 8, 12), representation=torch.rand(1, 256)),
    ]
