"""SpkDeblurNet, which shows one time of an exposure."""

from ssdm_models.baselines.around_times import SpkDeblurNetBaseline
from ssdm_models.objectives.published import Published
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="spkdeblurnet",
    label="SpkDeblurNet",
    task="deblurring",
    network=SpkDeblurNetBaseline,
    objective=Published,
    # Of 100,000 steps of 8 crops, as many epochs as that is of GOPRO.
    paper={"epochs": 380, "learning_rate": 1e-4, "rate_floor": 0.01, "batch": 8, "crop": 256, "flip": "turn"},
    small={"epochs": 200, "learning_rate": 5e-4, "batch": 4, "precision": "bfloat16"},
    arguments=("length", "dim", "blocks"),
    small_arguments={"dim": 36, "blocks": 2},
    needs_ground_truth=True,
)
