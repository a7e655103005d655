"""RED, which shows the seven frames of an exposure at a quarter of the size."""

from ssdm_models.baselines.quarter_size import REDBaseline
from ssdm_models.objectives.published import Published
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="red",
    label="RED",
    task="deblurring",
    network=REDBaseline,
    objective=Published,
    # Its authors' training is of real events; this one is ours.
    paper={"epochs": 100, "learning_rate": 1e-4, "batch": 8, "crop": 512},
    small={"epochs": 60, "batch": 4, "crop": 128, "learning_rate": 2e-4, "precision": "bfloat16"},
    needs_ground_truth=True,
)
