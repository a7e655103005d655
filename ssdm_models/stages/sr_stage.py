"""The second stage of S-SDM: EDSR upsamples what the spike camera sees."""

from ssdm_models.edsr import EDSR
from ssdm_models.objectives.super_resolution import SuperResolution
from ssdm_models.stages.stage_spec import ReleasedFile, StageSpec

SPEC = StageSpec(
    name="sr",
    label="SR",
    task="super-resolution",
    network=EDSR,
    objective=SuperResolution,
    paper={"epochs": 70, "learning_rate": 3e-4},
    release={"learning_rate": 2e-4, "schedule": "constant"},
    released=ReleasedFile(
        "edsr",
        {
            r"subtract_mean": "sub_mean",
            r"head": "head.0",
            r"blocks\.(\d+)\.([02])": r"body.\1.body.\2",
            r"neck": "body.16",
            r"tail\.([02])": r"tail.0.\1",
            r"tail\.4": "tail.1",
        },
    ),
    in_default_run=True,
)
