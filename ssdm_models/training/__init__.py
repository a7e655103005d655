"""Self-supervised training in three stages: BSN denoises, SR upsamples, and LDN learns from the teacher both make."""

from ssdm_models.training.config import StageConfig, make_config
from ssdm_models.training.loop import Progress, TrainingError
from ssdm_models.training.run import StageResult, train, train_stage

__all__ = ["Progress", "StageConfig", "StageResult", "TrainingError", "make_config", "train", "train_stage"]
