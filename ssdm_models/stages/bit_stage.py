"""BiT, which shows any time of an exposure of the blurry image and its neighbours."""

from ssdm_models.baselines.from_images import BiTBaseline
from ssdm_models.objectives.published import Published
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="bit",
    label="BiT",
    task="deblurring",
    network=BiTBaseline,
    objective=Published,
    paper={
        "epochs": 800,
        "learning_rate": 1e-4,
        "rate_floor": 0.01,
        "weight_decay": 1e-4,
        "batch": 32,
        "crop": 256,
        "flip": "turn",
    },
    small={"epochs": 20, "batch": 2, "crop": 128, "precision": "bfloat16"},
    needs_ground_truth=True,
)
