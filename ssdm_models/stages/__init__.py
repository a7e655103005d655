"""The stages that there are: what is trained, each declared once.

A stage is a network, what it minimises, and what makes the two one training: a `stage_spec.StageSpec`, in a module of
its own here. Training, checkpoints, evaluation, deblurring and the command line read these declarations and know no
stage by name. Names alone are known without torch, which takes seconds to import: a module is imported when its stage
is asked for.
"""

from ssdm_models.stages.stage_registry import Stages

__all__ = ["STAGES"]

STAGES = Stages({
    "bsn": "ssdm_models.stages.bsn_stage",
    "sr": "ssdm_models.stages.sr_stage",
    "ldn": "ssdm_models.stages.ldn_stage",
    "multi_exposure": "ssdm_models.stages.multi_exposure_stage",
    "adaptation": "ssdm_models.stages.adaptation_stage",
    "spkdeblurnet": "ssdm_models.stages.spkdeblurnet_stage",
    "red": "ssdm_models.stages.red_stage",
    "trmd": "ssdm_models.stages.trmd_stage",
    "refid": "ssdm_models.stages.refid_stage",
    "levs": "ssdm_models.stages.levs_stage",
    "motion_etr": "ssdm_models.stages.motion_etr_stage",
    "bit": "ssdm_models.stages.bit_stage",
    "bitpp": "ssdm_models.stages.bitpp_stage",
    "dasr": "ssdm_models.stages.dasr_stage",
    "san": "ssdm_models.stages.san_stage",
})  # fmt: skip
"""By name, in the order in which they are trained."""
