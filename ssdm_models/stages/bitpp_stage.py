"""BiT++, which shows any time of an exposure as BiT does, looking in both directions of time."""

from ssdm_models.baselines.from_images import BiTPlusPlusBaseline
from ssdm_models.objectives.published import Published
from ssdm_models.stages.bit_stage import SPEC as BIT
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="bitpp",
    label="BiT++",
    task="deblurring",
    network=BiTPlusPlusBaseline,
    objective=Published,
    # 400 epochs of a cosine over 1200, and two batches of BiT's to a step.
    paper={**BIT.paper, "epochs": 400, "schedule_part": 1 / 3, "batch": 64, "accumulate": 2},
    small={**BIT.small, "epochs": 10},
    needs_ground_truth=True,
    grows_from=BIT.name,
    grow=BiTPlusPlusBaseline.grow,
)
