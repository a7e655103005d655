"""Motion-ETR, which shows the seven frames of an exposure of the blurry image alone."""

from ssdm_models.baselines.from_images import MotionETRBaseline
from ssdm_models.objectives.published import Published
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="motion_etr",
    label="Motion-ETR",
    task="deblurring",
    network=MotionETRBaseline,
    objective=Published,
    paper={"epochs": 400, "learning_rate": 1e-4, "schedule": "linear", "batch": 8, "crop": 256},
    small={"epochs": 20, "batch": 2, "crop": 128, "precision": "bfloat16"},
    needs_ground_truth=True,
)
