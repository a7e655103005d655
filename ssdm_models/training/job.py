"""One stage to train: what a process of its own needs to begin."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import nn

from spikesim.checks import require_instance
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.remote.url import Place
from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset
from spikesim_datasets.shards.sample import Sample
from ssdm_models import checkpoints
from ssdm_models.baselines.baseline import Baseline
from ssdm_models.baselines.represented_samples import RepresentedSamples
from ssdm_models.deblurring_network import DeblurringNetwork
from ssdm_models.losses import make_perceptual
from ssdm_models.objectives.distillation import taught_length
from ssdm_models.objectives.objective import Objective, training_times
from ssdm_models.sensed_samples import SensedSamples
from ssdm_models.stage_config import NO_PERCEPTUAL, StageConfig
from ssdm_models.stages import STAGES
from ssdm_models.stages.stage_spec import StageSpec
from ssdm_models.teacher import Teacher
from ssdm_models.training.execution import Execution
from ssdm_models.training.sampler import SeededBatches
from ssdm_models.training.shown_scenes import ShownScenes, optics_of, sensors, show
from ssdm_models.training.teacher_targets import TeacherTargets, teach
from ssdm_models.training.training_set import TrainingSet

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class StageJob:
    """One stage of a run.

    Attributes:
        spec: The stage.
        config: How it is trained.
        data: Dataset, here or elsewhere.
        run: Folder of the run.
        init: Checkpoint to begin from, if any.
        deadline: Time by `time.monotonic` at which to stop.
        execution: Where it is trained, and how.
    """

    spec: StageSpec
    config: StageConfig
    data: Place
    run: Path
    init: Path | None
    deadline: float
    execution: Execution

    @property
    def folder(self) -> Path:
        """Of what is kept while the stage is trained."""
        return self.run / self.spec.name

    @property
    def final(self) -> Path:
        """The trained network."""
        return self.run / self.spec.file

    @property
    def teachers(self) -> tuple[str, ...]:
        """The stages whose networks it learns from."""
        return self.spec.teachers if self._perceptual != NO_PERCEPTUAL else ()

    @property
    def teacher_targets(self) -> Path | None:
        """Folder of the teacher's images, where they are precomputed."""
        precomputed = "precompute_teacher" in self.spec.own_settings and self.config.precompute_teacher
        return self.folder / "teacher_targets" if self.teachers and precomputed else None

    @property
    def precomputed(self) -> Path | None:
        """Folder of what is made of whole samples before the first step, if anything is."""
        return self.folder / "scenes" if self.spec.adapts else self.teacher_targets

    def maker(self, samples: SpikeBlurDataset, device: torch.device) -> Callable[[Sample, float], Sample]:
        """What makes it, on a device, of the samples."""
        if self.spec.adapts:
            network = require_instance(self.network(), "network", DeblurringNetwork).eval().to(device)
            return partial(show, network=network, optics=optics_of(samples.source), device=device)
        length = taught_length(self.network())
        return partial(teach, teacher=self.teacher().to(device), length=length, device=device)

    @property
    def steps(self) -> int:
        """All steps there are."""
        batches = SeededBatches(len(self.samples), self.config.batch, self.config.epochs, self.config.seed)
        return len(batches)

    def check(self, also_trained: tuple[str, ...]) -> None:
        """Find what would fail later.

        Args:
            also_trained: Stages that are trained before.

        Raises:
            InvalidValueError: The dataset lacks what the stage needs.
            InputFileError: A network to begin with or to learn from is missing, damaged, or of another stage.
            MissingExtraError: The perceptual loss needs a package that is missing.
        """
        samples = self.samples
        self.spec.require_ratio(samples.ratio)
        if self.spec.needs_ground_truth:
            source = samples.samples if isinstance(samples, RepresentedSamples) else samples
            assert isinstance(source, SpikeBlurDataset)
            self._check_ground_truth(source)
        if self.spec.adapts:
            assert isinstance(samples, SpikeBlurDataset)
            for v_th in self.config.v_th:
                sensors(samples.source, v_th)
        if self.teachers:
            assert isinstance(samples, SpikeBlurDataset)
            readouts = samples[SeededIndex(0, 0)]["spikes"].shape[-3]
            training_times(samples.exposure, readouts, taught_length(self.network()))
        else:
            samples[SeededIndex(0, 0)]
        if self.init is not None:
            self.network()
        if self._perceptual not in (None, NO_PERCEPTUAL):
            make_perceptual(self.config.perceptual)
        for stage in self.teachers:
            if stage not in also_trained:
                checkpoints.load(self.taught_by(stage), stage)

    @cached_property
    def samples(self) -> SpikeBlurDataset | SensedSamples | RepresentedSamples:
        """The samples, with ground truth where the stage needs it; opened once, which takes seconds of many shards."""
        config = self.config
        if self.spec.draws_sensors:
            return SensedSamples(self.data, config.split, config.v_th, config.crop)
        if issubclass(self.spec.network, Baseline):
            with torch.device("meta"):
                network = require_instance(self.spec.new(small=config.small), "network", Baseline)  # type: ignore[type-abstract]
            return RepresentedSamples(self.data, config.split, config.v_th, config.crop, config.flip, network)
        sharp: Literal["none", "one"] | None = None if self.spec.needs_ground_truth else "none"
        if self.spec.task == "upsampling":
            sharp = "one"
        return SpikeBlurDataset(self.data, config.split, config.v_th, config.crop, sharp, flip=config.flip)

    def training_set(self) -> TrainingSet:
        """The samples, or what is precomputed of them."""
        if self.precomputed is None:
            return self.samples
        kind = ShownScenes if self.spec.adapts else TeacherTargets
        return kind(self.precomputed, self.config.split, self.config.v_th, self.config.crop, self.config.flip)

    def teacher(self) -> Teacher:
        """The teacher of the run.

        Raises:
            InputFileError: A network of it is missing, damaged, or of another stage.
        """
        assert self.spec.make_teacher is not None
        teacher = self.spec.make_teacher(*(checkpoints.load(self.taught_by(stage), stage) for stage in self.teachers))
        return _channels_last(teacher)

    def taught_by(self, stage: str) -> Path:
        """The network of the teacher that another stage has trained."""
        path = self.run / STAGES.find(stage).file
        if not path.exists():
            raise InputFileError(
                f"the stage {self.spec.name} learns from {path}, which is missing; train the stage {stage} first"
            )
        return path

    def network(self) -> nn.Module:
        """The network to begin with: of a checkpoint, ours or its authors', grown from another stage's, or new; its
        weights with channels last.

        Raises:
            InputFileError: The checkpoint is missing, damaged, or of another network.
        """
        if self.init is None:
            return _channels_last(self._new())
        with torch.device("meta"):
            new = self.spec.new(small=self.config.small)
        fixed = {name: getattr(new, name) for name in self.spec.fixed_arguments}
        stages = [stage for stage in (self.spec.name, self.spec.adapts, self.spec.grows_from) if stage]
        loaded = checkpoints.load_any(self.init, stages, **fixed)
        network = loaded.network.train()
        if self.spec.grow is not None and loaded.spec.name == self.spec.grows_from:
            network = self._new()
            self.spec.grow(network, loaded.network)
        return _channels_last(network)

    def _new(self) -> nn.Module:
        """A new network, as the seed draws it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            return self.spec.new(small=self.config.small)

    def objective(self, exposure: tuple[int, int]) -> Objective:
        """What is minimised."""
        teacher = self.teacher() if self.teachers and self.teacher_targets is None else None
        return self.spec.objective.make(self.network(), exposure, self.config, teacher)

    @property
    def _perceptual(self) -> str | None:
        """The perceptual loss, where the stage has one."""
        return self.config.perceptual if "perceptual" in self.spec.own_settings else None

    def _check_ground_truth(self, samples: SpikeBlurDataset) -> None:
        """Refuse samples without ground truth, or with as many true images as cannot be stacked."""
        first: tuple[int, ...] | None = None
        for entry in samples.source.entries:
            path = samples.source.root / entry.path
            with closing(samples.source.open_shard(path)) as shard:
                times = tuple(shard.sharp_readouts)
            if not times:
                raise InvalidValueError(
                    f"the stage {self.spec.name} learns from ground truth, and {path} has none; build the dataset with "
                    "--sharp sequence"
                )
            if times != (first := first or times):
                raise InvalidValueError(
                    f"the stage {self.spec.name} learns from ground truth at the same readouts everywhere, but {path} "
                    f"has it at {list(times)}, other shards at {list(first)}; train on them apart"
                )


def _channels_last(module: Module) -> Module:
    """A module whose weights lie as convolutions are fastest with."""
    laid: Module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return laid
