"""Deblurring at any threshold: the multi-exposure network, trained on synthetic data with ground truth."""

from ssdm_models.multi_exposure import MultiExposure
from ssdm_models.objectives.supervised import Supervised
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="multi_exposure",
    label="multi-exposure",
    task="deblurring",
    network=MultiExposure,
    objective=Supervised,
    paper={
        "epochs": 36,
        "learning_rate": 1e-3,
        "v_th": (0.5, 8.0),
        "batch": 4,
        "crop": 256,
        "warm_up": 1,
        "ema": 0.999,
        "clip": 1.0,
    },
    draws_sensors=True,
)
