"""TRMD, which shows the seven frames of an exposure at a quarter of the size."""

from ssdm_models.baselines.quarter_size import TRMDBaseline
from ssdm_models.objectives.published import Published
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="trmd",
    label="TRMD",
    task="deblurring",
    network=TRMDBaseline,
    objective=Published,
    paper={"epochs": 101, "learning_rate": 1e-3, "schedule": "constant", "batch": 8, "crop": 512},
    small={"epochs": 60, "batch": 4, "crop": 256, "precision": "bfloat16"},
    needs_ground_truth=True,
)
