"""Training: the stages of S-SDM, where BSN denoises, SR upsamples and LDN learns from both, and all others declared."""

from ssdm_models.training.config import StageConfig, make_config
from ssdm_models.training.execution import Execution
from ssdm_models.training.loop import StageProgress, TrainingError
from ssdm_models.training.run import StageResult, train, train_stage

__all__ = [
    "Execution",
    "StageConfig",
    "StageProgress",
    "StageResult",
    "TrainingError",
    "make_config",
    "train",
    "train_stage",
]
