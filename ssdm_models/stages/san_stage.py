"""SAN, which learns from the teacher of S-SDM as LDN does: the comparison of the paper's Table 2."""

from ssdm_models.baselines.around_times import SANStudent
from ssdm_models.objectives.distillation import Distillation
from ssdm_models.stages.ldn_stage import make_teacher
from ssdm_models.stages.stage_spec import StageSpec

SPEC = StageSpec(
    name="san",
    label="SAN",
    task="deblurring",
    network=SANStudent,
    objective=Distillation,
    paper={"epochs": 100, "learning_rate": 1e-3},
    small={"epochs": 60, "crop": 256, "batch": 4, "perceptual": "ms-ssim", "precision": "bfloat16"},
    arguments=("length",),
    teachers=("bsn", "sr"),
    make_teacher=make_teacher,
    own_settings=("perceptual", "reblur", "precompute_teacher"),
)
