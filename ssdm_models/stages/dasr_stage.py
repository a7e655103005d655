"""DASR, which upsamples what networks show at a quarter of the size."""

from ssdm_models.baselines.upsampling import DASRUpsampler
from ssdm_models.objectives.upsampling_truth import UpsamplingTruth
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="dasr",
    label="DASR",
    task="upsampling",
    network=DASRUpsampler,
    objective=UpsamplingTruth,
    paper={"epochs": 500, "learning_rate": 1e-4, "schedule": "halved", "batch": 32, "crop": 192, "flip": "turn"},
    small={"epochs": 60, "batch": 4, "precision": "bfloat16"},
    needs_ground_truth=True,
)
