"""What the steps of a training are made of."""

from spikesim_datasets.samples import SpikeBlurDataset
from ssdm_models.baselines.represented_samples import RepresentedSamples
from ssdm_models.sensed_samples import SensedSamples
from ssdm_models.training.shown_scenes import ShownScenes
from ssdm_models.training.teacher_targets import TeacherTargets

TrainingSet = SpikeBlurDataset | RepresentedSamples | SensedSamples | TeacherTargets | ShownScenes
"""Samples that `SeededIndex` draws."""
