"""Deblurring of one kind of recording: the multi-exposure network goes on learning, without ground truth."""

from ssdm_models.multi_exposure import MultiExposure
from ssdm_models.objectives.supervised import Supervised
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="adaptation",
    label="adapted",
    task="deblurring",
    network=MultiExposure,
    objective=Supervised,
    paper={
        "epochs": 10,
        "learning_rate": 5e-5,
        "batch": 4,
        "crop": 256,
        "warm_up": 1,
        "ema": 0.98,
        "clip": 1.0,
    },
    adapts="multi_exposure",
)
