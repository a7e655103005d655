"""A training's folder: which stages are finished, and the networks that come of them.

RUN/bsn.safetensors, sr.safetensors, ldn.safetensors    the networks of finished stages
RUN/STAGE/config.json      what decides the stage's weights, and the command that last trained it
RUN/STAGE/state.pt         where it stands
RUN/STAGE/metrics.csv      means by epoch; the same for TensorBoard beside it
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import nn

import spikesim
from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim.files import atomic_path
from spikesim_datasets.samples import Draw, SpikeBlurDataset
from spikesim_datasets.shards.index import checksum
from ssdm_models import checkpoints
from ssdm_models.checkpoints import STAGES, Stage
from ssdm_models.ldn import LDN
from ssdm_models.losses import make_perceptual
from ssdm_models.teacher import Teacher
from ssdm_models.training.config import NO_PERCEPTUAL, StageConfig, make_config
from ssdm_models.training.loop import Loop, Progress
from ssdm_models.training.objectives import Denoising, Distillation, Lesson, Objective, SuperResolution

CONFIG = "config.json"

_RELEASED: dict[Stage, Literal["bsn", "edsr", "ldn"]] = {"bsn": "bsn", "sr": "edsr", "ldn": "ldn"}


@dataclass(frozen=True)
class StageResult:
    """How far a stage came.

    Attributes:
        stage: The stage.
        checkpoint: Its network; None while it is not finished.
        steps, total: Steps done, and all there are.
        loss: Mean of the last epoch; None before the first is finished.
        kept: Whether it was finished before, and nothing was to be done.
    """

    stage: Stage
    checkpoint: Path | None
    steps: int
    total: int
    loss: float | None
    kept: bool


@dataclass(frozen=True)
class _Job:
    """One stage to train: what a process of its own needs to begin."""

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
        return self.run / self.config.stage

    @property
    def final(self) -> Path:
        return self.run / f"{self.config.stage}.safetensors"

    def dataset(self) -> SpikeBlurDataset:
        config = self.config
        return SpikeBlurDataset(self.data, config.split, config.v_th, config.crop, "none", flip=config.flip)


def train(
    data: Path | str,
    run: Path | str,
    stages: Sequence[Stage] = tuple(STAGES),
    *,
    compat: Literal["release"] | None = None,
    init: Mapping[Stage, Path | str] | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    devices: int = 1,
    workers: int = 2,
    max_minutes: float | None = None,
    overwrite: bool = False,
    command: str = "",
    on_step: Callable[[Progress], None] | None = None,
    **given: Any,
) -> list[StageResult]:
    """Train stages one after the other; what is finished is skipped, and what was begun goes on where it stopped.

    Everything that can be checked is checked before the first step.

    Args:
        data: Dataset: a folder of shards, or one in the layout of the S-SDM release. Ground truth is not read.
        run: Folder of the training.
        stages: Which, in order. `ldn` needs the networks of the other two in `run`.
        compat: See `make_config`.
        init: Checkpoints to begin stages from, ours or the authors'.
        device: Where to train.
        devices: How many devices share each batch; on a CPU, processes.
        workers: Processes that read samples, for each device.
        max_minutes: No step is begun after so many minutes.
        overwrite: Train anew what was trained with another configuration.
        command: The command line, to be kept with the configuration.
        on_step: Called after every step. With several devices it is sent to another process.
        given: Values of `StageConfig` for all stages.

    Returns:
        How far each stage came; those that the time did not suffice to begin are left out.

    Raises:
        InvalidValueError: A value is not as `StageConfig` wants it, the dataset has no such split or threshold, or the
            batch cannot be shared.
        InputFileError: Dataset, checkpoint or kept state are missing or damaged.
        OutputError: The folder holds a training of another configuration, or cannot be written.
        MissingExtraError: The perceptual loss needs a package that is not there.
        TrainingError: A loss is no number.
    """
    deadline = time.monotonic() + 60 * max_minutes if max_minutes is not None else float("inf")
    chosen = {stage: Path(path) for stage, path in (init or {}).items()}
    jobs = [
        _Job(
            make_config(stage, compat, **given),
            Path(data),
            Path(run),
            chosen.get(stage),
            workers,
            deadline,
            command,
            on_step or _nothing,
        )
        for stage in stages
    ]
    for job in jobs:
        _check(job, stages, devices)
    results = []
    for job in jobs:
        if time.monotonic() < deadline:
            results.append(_train_stage(job, device, devices, overwrite))
            if results[-1].checkpoint is None:
                break
    return results


def _nothing(progress: Progress) -> None:
    """What is done after a step where nobody asks for it; has a name, so that it can be sent to another process."""


def train_stage(stage: Stage, data: Path | str, run: Path | str, **options: Any) -> StageResult:
    """Train one stage; see `train`."""
    (result,) = train(data, run, [stage], **options)
    return result


def _check(job: _Job, stages: Sequence[Stage], devices: int) -> None:
    """Find what would fail later."""
    parts = devices * job.config.accumulate
    if job.config.batch % parts:
        raise InvalidValueError(
            f"a batch of {job.config.batch} cannot be cut into equal parts for {devices} devices and accumulation "
            f"{job.config.accumulate}; make it a multiple of {parts}"
        )
    job.dataset()[Draw(0, 0)]
    if job.init is not None:
        _initial(job.config.stage, job.init)
    if job.config.stage == "ldn" and job.config.perceptual != NO_PERCEPTUAL:
        make_perceptual(job.config.perceptual)
        for stage in ("bsn", "sr"):
            if stage not in stages:
                checkpoints.load(_finished(job.run, stage), stage)


def _train_stage(job: _Job, device: str, devices: int, overwrite: bool) -> StageResult:
    identity = _identity(job)
    _claim(job, identity, overwrite)
    if job.final.exists():
        metrics = checkpoints.read_card(job.final).metrics
        steps = int(metrics["steps"])
        return StageResult(job.config.stage, job.final, steps, steps, metrics["loss"], kept=True)
    with atomic_path(job.folder / CONFIG) as temporary:
        temporary.write_text(json.dumps({**identity, **_provenance(job)}, indent=1))
    fabric = Fabric(
        accelerator=device,
        devices=devices,
        strategy="auto" if devices == 1 else "ddp_spawn",
        precision=job.config.precision,
    )
    steps, total, loss = fabric.launch(partial(_work, job=job))
    return StageResult(job.config.stage, job.final if steps == total else None, steps, total, loss, kept=False)


def _work(fabric: Fabric, job: _Job) -> tuple[int, int, float | None]:
    """Train a stage in this process, one of several perhaps; gives steps done, all there are, and the last loss."""
    config, dataset = job.config, job.dataset()
    if fabric.device.type == "cpu" and fabric.world_size > 1:  # each its share of the processor
        torch.set_num_threads(max(1, torch.get_num_threads() // fabric.world_size))
    loop = Loop(fabric, _objective(job, dataset.exposure), dataset, config, job.folder, job.workers)
    loop.run(job.deadline, job.on_step)
    state = loop.state
    loss = state.history[-1]["loss"] if state.history else None
    if state.steps == loop.total and fabric.is_global_zero:
        checkpoints.save(
            job.final,
            loop.trained(),
            v_th=config.v_th,
            data=dataset.fingerprint,
            loss=config.loss,
            metrics={"epochs": config.epochs, "steps": state.steps, "loss": state.history[-1]["loss"]},
        )
    return state.steps, loop.total, loss


def _objective(job: _Job, exposure: tuple[int, int]) -> Objective:
    config = job.config
    if job.init is not None:
        network = _initial(config.stage, job.init).train()
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = STAGES[config.stage]()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if config.stage == "bsn":
        return Denoising(network, exposure)
    if config.stage == "sr":
        return SuperResolution(network, exposure)
    assert isinstance(network, LDN)
    if config.perceptual == NO_PERCEPTUAL:
        return Distillation(network, exposure, None, config.reblur)
    denoiser, enlarger = (checkpoints.load(_finished(job.run, stage), stage) for stage in ("bsn", "sr"))
    lesson = Lesson(Teacher(denoiser, enlarger), make_perceptual(config.perceptual))
    return Distillation(network, exposure, lesson, config.reblur)


def _initial(stage: Stage, path: Path) -> nn.Module:
    """The network to begin with, from a checkpoint of ours or the authors'."""
    if path.suffix == ".safetensors":
        return checkpoints.load(path, stage, **({"readouts": LDN().readouts} if stage == "ldn" else {}))
    return checkpoints.load_released(path, _RELEASED[stage])


def _finished(run: Path, stage: Stage) -> Path:
    path = run / f"{stage}.safetensors"
    if not path.exists():
        raise InputFileError(f"the stage ldn learns from {path}, which is not there; train the stage {stage} first")
    return path


def _identity(job: _Job) -> dict[str, Any]:
    """What decides the weights: configuration, samples, and the networks it begins with and learns from."""
    networks = {} if job.init is None else {"init": checksum(job.init)}
    if job.config.stage == "ldn" and job.config.perceptual != NO_PERCEPTUAL:
        networks |= {stage: checksum(_finished(job.run, stage)) for stage in ("bsn", "sr")}
    return {"config": job.config.record(), "data": {"samples": job.dataset().fingerprint}, "networks": networks}


def _provenance(job: _Job) -> dict[str, Any]:
    """What is kept of a training without deciding its weights."""
    versions = {"spikesim": spikesim.__version__, "torch": torch.__version__}
    return {"source": str(job.data.resolve()), "command": job.command, "versions": versions}


def _claim(job: _Job, identity: dict[str, Any], overwrite: bool) -> None:
    """Make sure that what the folder holds of the stage, if anything, is this training.

    Raises:
        OutputError: It is another.
        InputFileError: It does not say.
    """
    path, final = job.folder / CONFIG, job.final
    if not path.exists() and not final.exists():
        return
    others = differences(_recorded(path), identity) if path.exists() else ["nothing says how it was trained"]
    if not others:
        return
    if not overwrite:
        raise OutputError(
            f"{job.run} holds another training of the stage {job.config.stage} ({'; '.join(others)}); choose another "
            "folder, leave the stage out, or replace it with --overwrite"
        )
    shutil.rmtree(job.folder, ignore_errors=True)
    final.unlink(missing_ok=True)


def _recorded(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text())
        return {part: dict(record[part]) for part in ("config", "data", "networks")}
    except (ValueError, KeyError, TypeError) as error:
        raise InputFileError(f"{path} is damaged ({error!r}); remove {path.parent} to train its stage anew") from error


def differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """In words, where the configuration of a training differs from what is wanted."""
    found = []
    for part in wanted:
        for name in dict.fromkeys([*there[part], *wanted[part]]):
            old, new = there[part].get(name), wanted[part].get(name)
            if old != new:
                found.append(f"{name} {old}, not {new}" if part == "config" else f"other {part}: {name}")
    return found
