"""LEVS, which shows the seven frames of an exposure of the blurry image alone."""

from ssdm_models.baselines.from_images import LEVSBaseline
from ssdm_models.objectives.published import Published
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="levs",
    label="LEVS",
    task="deblurring",
    network=LEVSBaseline,
    objective=Published,
    # Its authors' training is not published; this one is ours.
    paper={"epochs": 100, "learning_rate": 1e-4, "batch": 8, "crop": 320},
    small={"epochs": 20, "batch": 2, "crop": 160, "precision": "bfloat16"},
    needs_ground_truth=True,
)
