"""One stage to train: what a process of its own needs to begin."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from spikesim.errors import InputFileError
from spikesim_datasets.samples import SpikeBlurDataset
from ssdm_models import checkpoints
from ssdm_models.bsn import BSN
from ssdm_models.checkpoints import STAGES, Stage
from ssdm_models.ldn import LDN
from ssdm_models.losses import make_perceptual
from ssdm_models.teacher import Teacher
from ssdm_models.training.config import NO_PERCEPTUAL, StageConfig
from ssdm_models.training.loop import Progress
from ssdm_models.training.objectives import Denoising, Distillation, Objective, SuperResolution
from ssdm_models.training.sampler import SeededBatches
from ssdm_models.training.teacher_targets import TeacherTargets


@dataclass(frozen=True)
class StageJob:
    """One stage of a run.

    Attributes:
        config: How it is trained.
        data: Dataset.
        run: Folder of the run.
        init: Checkpoint to begin from, if any.
        workers: Processes that read samples, for each device.
        deadline: Time by `time.monotonic` at which to stop.
        command: The command line.
        on_step: Called after every step.
    """

    config: StageConfig
    data: Path
    run: Path
    init: Path | None
    workers: int
    deadline: float
    command: str
    on_step: Callable[[Progress], None]

    @property
    def folder(self) -> Path:
        """Of what is kept while the stage is trained."""
        return self.run / self.config.stage

    @property
    def final(self) -> Path:
        """The trained network."""
        return self.run / f"{self.config.stage}.safetensors"

    @property
    def teacher_targets(self) -> Path | None:
        """Folder of the teacher's images, where they are made ahead."""
        return self.folder / "teacher_targets" if self.needs_teacher and self.config.ahead else None

    @property
    def needs_teacher(self) -> bool:
        """Whether the stage learns from a teacher."""
        return self.config.stage == "ldn" and self.config.perceptual != NO_PERCEPTUAL

    @property
    def steps(self) -> int:
        """All steps there are."""
        draws = SeededBatches(len(self.samples()), self.config.batch, self.config.epochs, self.config.seed)
        return len(draws)

    def samples(self) -> SpikeBlurDataset:
        """The samples, without ground truth."""
        config = self.config
        return SpikeBlurDataset(self.data, config.split, config.v_th, config.crop, "none", flip=config.flip)

    def training_set(self) -> SpikeBlurDataset | TeacherTargets:
        """The samples, with the teacher's images where they are made ahead."""
        if self.teacher_targets is None:
            return self.samples()
        return TeacherTargets(
            self.teacher_targets, self.config.split, self.config.v_th, self.config.crop, self.config.flip
        )

    def teacher(self) -> Teacher:
        """The teacher of the run.

        Raises:
            InputFileError: A network of it is not there, damaged, or of another stage.
        """
        denoiser, upsampler = (checkpoints.load(self.taught_by(stage), stage) for stage in ("bsn", "sr"))
        assert isinstance(denoiser, BSN)
        denoiser.square = False  # whole images cost 1.8 times more when they are padded to squares
        teacher = Teacher(denoiser, upsampler)
        teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return teacher

    def taught_by(self, stage: Stage) -> Path:
        """The network of the teacher that another stage has trained."""
        path = self.run / f"{stage}.safetensors"
        if not path.exists():
            raise InputFileError(f"the stage ldn learns from {path}, which is not there; train the stage {stage} first")
        return path

    def network(self) -> nn.Module:
        """The network to begin with: of a checkpoint, ours or the authors', or new.

        Raises:
            InputFileError: The checkpoint is missing, damaged, or of another network.
        """
        stage = self.config.stage
        if self.init is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.config.seed)
                return STAGES[stage]()
        arguments = {"readouts": LDN().readouts} if stage == "ldn" else {}
        network, _ = checkpoints.load_any(self.init, stage, **arguments)
        return network.train()

    def objective(self, exposure: tuple[int, int]) -> Objective:
        """What is minimised."""
        network = self.network()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.config.stage == "bsn":
            return Denoising(network, exposure)
        if self.config.stage == "sr":
            return SuperResolution(network, exposure)
        assert isinstance(network, LDN)
        perceptual = make_perceptual(self.config.perceptual) if self.needs_teacher else None
        teacher = self.teacher() if self.needs_teacher and self.teacher_targets is None else None
        return Distillation(network, exposure, perceptual, self.config.reblur, teacher)
