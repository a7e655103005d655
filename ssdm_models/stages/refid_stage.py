"""REFID, which shows the seven frames of an exposure at a quarter of the size."""

from ssdm_models.baselines.quarter_size import REFIDBaseline
from ssdm_models.objectives.published import Published
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="refid",
    label="REFID",
    task="deblurring",
    network=REFIDBaseline,
    objective=Published,
    # Of 200,000 steps of 4 crops, as many epochs as that is of GOPRO.
    paper={
        "epochs": 380,
        "learning_rate": 2e-4,
        "rate_floor": 5e-4,
        "square_decay": 0.99,
        "weight_decay": 1e-4,
        "batch": 4,
        "crop": 512,
        "flip": "turn",
        "clip": 0.01,
    },
    small={"epochs": 60, "crop": 128, "precision": "bfloat16"},
    needs_ground_truth=True,
)
