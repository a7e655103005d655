"""The third stage of S-SDM: LDN deblurs, and learns it from the teacher that the other two make."""

import torch

from ssdm_models.bsn import BSN
from ssdm_models.edsr import EDSR
from ssdm_models.ldn import LDN
from ssdm_models.objectives.distillation import Distillation
from ssdm_models.stages.stage_spec import ReleasedFile, StageSpec
from ssdm_models.teacher import Teacher


def make_teacher(denoiser: BSN, upsampler: EDSR) -> Teacher:
    """The teacher of S-SDM, for whole images of any shape."""
    denoiser.square = False  # whole images cost 1.8 times more when they are padded to squares
    return Teacher(denoiser, upsampler)


@torch.no_grad()
def _swap_red_and_blue(network: LDN) -> None:
    """Make a network of BGR one of RGB, or the other way round: first layer, and the image's way around all layers."""
    first, last, bias = map(network.get_parameter, ("blur_encoder.0.weight", "output.weight", "output.bias"))
    first.copy_(first.flip(1))
    last[:, :3] = last[:, :3].flip(1)
    last.copy_(last.flip(0))
    bias.copy_(bias.flip(0))


SPEC = StageSpec(
    name="ldn",
    label="LDN",
    task="deblurring",
    network=LDN,
    objective=Distillation,
    paper={"epochs": 100, "learning_rate": 1e-3},
    release={"schedule": "batch", "split": "test"},
    arguments=("length",),
    fixed_arguments=("length",),
    old_arguments={"readouts": "length"},
    released=ReleasedFile(
        "ldn",
        {
            r"(blur|spike)_encoder\.0": r"\1_enc.0",
            r"(blur|spike)_encoder\.2": r"\1_enc2.0",
            r"channel_attention": "ca.fc",
            r"spatial_attention": "sa.conv1",
            r"residuals\.0\.0": "resBlock1.conv_block.0",
            r"residuals\.0\.2": "resBlock1.conv_block.3",
            r"residuals\.1\.0": "resBlock2.conv_block.0",
            r"residuals\.1\.2": "resBlock2.conv_block.3",
            r"decoder\.0": "decoder1.0",
            r"decoder\.2": "decoder2.0",
            r"output": "pred",
        },
        v_th=(1.0,),
        fix=_swap_red_and_blue,
        normalised=False,
    ),
    teachers=("bsn", "sr"),
    make_teacher=make_teacher,
    own_settings=("perceptual", "reblur", "precompute_teacher"),
    in_default_run=True,
)
