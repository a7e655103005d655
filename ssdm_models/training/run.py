"""A training's folder: which stages are finished, and the networks that come of them.

RUN/bsn.safetensors, sr.safetensors, ldn.safetensors    the networks of finished stages
RUN/STAGE/config.json      what decides the stage's weights, and the command that last trained it
RUN/STAGE/state.pt         where it stands
RUN/STAGE/metrics.csv      means by epoch; the same for TensorBoard beside it
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock, Timeout
from lightning_fabric import Fabric

from spikesim.errors import InvalidValueError, OutputError
from spikesim.gpu.devices import find_device
from spikesim_datasets.samples import SeededIndex
from ssdm_models import checkpoints
from ssdm_models.checkpoints import STAGES, Stage
from ssdm_models.losses import make_perceptual
from ssdm_models.training.config import make_config
from ssdm_models.training.job import StageJob
from ssdm_models.training.loop import Loop, Progress
from ssdm_models.training.objectives import training_times
from ssdm_models.training.record import claim
from ssdm_models.training.teacher_targets import write_teacher_targets

_LOCK = ".lock"


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
        OutputError: The folder holds a training of another configuration, another process trains in it, or it cannot be
            written.
        MissingExtraError: The perceptual loss needs a package that is not there.
        TrainingError: A loss is no number.
    """
    deadline = time.monotonic() + 60 * max_minutes if max_minutes is not None else float("inf")
    chosen = {stage: Path(path) for stage, path in (init or {}).items()}
    jobs = [
        StageJob(
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
    where = find_device(device).type
    for job in jobs:
        _check(job, stages, where, devices)
    results = []
    with _locked(Path(run)):
        for job in jobs:
            if time.monotonic() < deadline:
                results.append(_train_stage(job, where, devices, overwrite))
                if results[-1].checkpoint is None:
                    break
    return results


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Keep the folder for this process.

    Raises:
        OutputError: Another has it, or it cannot be written.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = FileLock(run / _LOCK, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"{run} is being trained by another process; wait for it, or choose another folder"
        ) from error
    except OSError as error:
        raise OutputError(f"cannot write to {run}: {error.strerror or error}; choose another folder") from error
    try:
        yield
    finally:
        lock.release()


def _nothing(progress: Progress) -> None:
    """What is done after a step where nobody asks for it; has a name, so that it can be sent to another process."""


def train_stage(stage: Stage, data: Path | str, run: Path | str, **options: Any) -> StageResult:
    """Train one stage; see `train`."""
    (result,) = train(data, run, [stage], **options)
    return result


def _check(job: StageJob, stages: Sequence[Stage], device: str, devices: int) -> None:
    """Find what would fail later."""
    if job.config.precision == "16-mixed" and device == "cpu":
        raise InvalidValueError("precision '16-mixed' is for GPUs; on a CPU take '32-true', or 'bf16-mixed'")
    if device == "cuda" and devices > torch.cuda.device_count():
        raise InvalidValueError(f"{devices} devices were asked for, there are {torch.cuda.device_count()}")
    parts = devices * job.config.accumulate
    if job.config.batch % parts:
        raise InvalidValueError(
            f"a batch of {job.config.batch} cannot be cut into equal parts for {devices} devices and accumulation "
            f"{job.config.accumulate}; make it a multiple of {parts}"
        )
    job.samples()[SeededIndex(0, 0)]
    if job.init is not None:
        job.network()
    if job.needs_teacher:
        make_perceptual(job.config.perceptual)
        for stage in ("bsn", "sr"):
            if stage not in stages:
                checkpoints.load(job.taught_by(stage), stage)


def _train_stage(job: StageJob, device: str, devices: int, overwrite: bool) -> StageResult:
    claim(job, overwrite)
    if job.final.exists():
        metrics = checkpoints.read_card(job.final).metrics
        steps = int(metrics["steps"])
        return StageResult(job.config.stage, job.final, steps, steps, metrics["loss"], kept=True)
    if job.teacher_targets is not None and not _teach(job, job.teacher_targets, device):
        return StageResult(job.config.stage, None, 0, job.steps, None, kept=False)
    strategy = "auto" if devices == 1 else "ddp_spawn"
    fabric = Fabric(accelerator=device, devices=devices, strategy=strategy, precision=job.config.precision)
    steps, total, loss = fabric.launch(partial(_work, job=job))
    return StageResult(job.config.stage, job.final if steps == total else None, steps, total, loss, kept=False)


def _teach(job: StageJob, folder: Path, device: str) -> bool:
    """Ask the teacher ahead, on one device; whether the time sufficed."""
    fabric = Fabric(accelerator=device, devices=1, precision=job.config.precision)
    samples = job.samples()
    return write_teacher_targets(
        folder,
        samples,
        job.teacher().to(fabric.device),
        training_times(samples.exposure),
        device=fabric.device,
        autocast=fabric.autocast,
        deadline=job.deadline,
        on_sample=lambda done, total: job.on_step(Progress("teacher", done, total, {})),
    )


def _work(fabric: Fabric, job: StageJob) -> tuple[int, int, float | None]:
    """Train a stage in this process, one of several perhaps; gives steps done, all there are, and the last loss."""
    if fabric.device.type == "cpu" and fabric.world_size > 1:  # each its share of the processor
        torch.set_num_threads(max(1, torch.get_num_threads() // fabric.world_size))
    samples = job.samples()
    loop = Loop(fabric, job.objective(samples.exposure), job.training_set(), job.config, job.folder, job.workers)
    loop.run(job.deadline, job.on_step)
    state = loop.state
    loss = state.history[-1]["loss"] if state.history else None
    if state.steps == loop.total and fabric.is_global_zero:
        checkpoints.save(
            job.final,
            loop.trained(),
            v_th=job.config.v_th,
            data=samples.fingerprint,
            loss=job.config.loss,
            metrics={"epochs": job.config.epochs, "steps": state.steps, "loss": state.history[-1]["loss"]},
        )
    return state.steps, loop.total, loss
