"""A training's folder: which stages are finished, and the networks that come of them.

RUN/STAGE.safetensors      the networks of finished stages
RUN/STAGE/config.json      what decides the stage's weights, and the command that last trained it
RUN/STAGE/state.pt         where it stands
RUN/STAGE/metrics.csv      means by epoch; the same for TensorBoard beside it
RUN/STAGE/teacher_targets  the teacher's images, where they are precomputed
RUN/STAGE/scenes           scenes that the network shows, where it is adapted to recordings
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric

from spikesim.checks import require_flag, require_instance, require_list, require_path
from spikesim.errors import InvalidValueError
from spikesim.gpu.devices import check_precision, find_device
from spikesim.locks import locked
from spikesim_datasets.remote.url import Place, require_place
from spikesim_datasets.samples import SpikeBlurDataset
from ssdm_models import checkpoints
from ssdm_models.old_names import rename_teacher_targets, renamed_settings
from ssdm_models.option_groups import sort_options
from ssdm_models.precision import FABRIC, Precision
from ssdm_models.shipped import SHIPPED
from ssdm_models.stage_config import SETTINGS
from ssdm_models.stages import STAGES
from ssdm_models.training.config import make_config
from ssdm_models.training.execution import EXECUTION, Execution
from ssdm_models.training.job import StageJob
from ssdm_models.training.loop import Loop, StageProgress
from ssdm_models.training.precomputed import precompute
from ssdm_models.training.record import RECORD, begun_with, claim


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

    stage: str
    checkpoint: Path | None
    steps: int
    total: int
    loss: float | None
    kept: bool


def train(
    data: Place | str,
    run: Path | str,
    stages: Sequence[str] | None = None,
    *,
    compat: Literal["release"] | None = None,
    init: Mapping[str, Path | str] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> list[StageResult]:
    """Train stages one after the other; what is finished is skipped, and what was begun goes on where it stopped.

    Everything that can be checked is checked before the first step.

    Args:
        data: Dataset: a folder of shards, or one in the layout of the S-SDM release; or the address of a dataset
            elsewhere. Ground truth is read where a stage needs it.
        run: Folder of the training.
        stages: Which, in order; None takes the three of S-SDM. `ldn` needs the networks of the other two in `run`.
        compat: See `make_config`.
        init: Checkpoints to begin stages from, ours or their authors'. A stage that adapts a network begins with the
            one in the package where none is named.
        overwrite: Train again what was trained with another configuration.
        options: Values of `Execution`, and of `StageConfig` for all stages.

    Returns:
        How far each stage came; those that the time did not suffice to begin are left out.

    Raises:
        InvalidValueError: A value is not as `Execution` or `StageConfig` wants it, the dataset has no such split,
            threshold or ground truth, or the batch cannot be shared.
        InputFileError: Dataset, checkpoint or kept state are missing or damaged, or cannot be fetched.
        OutputError: The folder holds a training of another configuration, another process writes it, or it cannot be
            written.
        MissingExtraError: The perceptual loss, or a dataset elsewhere, needs a package that is missing.
        TrainingError: A loss is no number.
    """
    carried_out, settings = sort_options(renamed_settings(options), EXECUTION, SETTINGS)
    execution = Execution(**carried_out)
    minutes = execution.max_minutes
    deadline = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
    data, run, overwrite = require_place(data, "data"), require_path(run, "run"), require_flag(overwrite, "overwrite")
    given = {} if init is None else require_instance(init, "init", Mapping)  # type: ignore[type-abstract]
    begun = {stage: require_path(path, "each of init") for stage, path in given.items()}
    chosen = STAGES.default if stages is None else tuple(require_list(stages, "stages", "names of stages"))
    jobs = [
        StageJob(
            spec := STAGES.find(stage),
            make_config(stage, compat, **{**({} if overwrite else begun_with(run / stage / RECORD)), **settings}),
            data,
            run,
            begun.get(stage, SHIPPED if spec.adapts else None),
            deadline,
            execution,
        )
        for stage in chosen
    ]
    device = find_device(execution.device)
    for job in jobs:
        _check_devices(job, device)
        job.check(chosen)
    results = []
    with locked(run):
        for job in jobs:
            if time.monotonic() < deadline:
                results.append(_train_stage(job, device, overwrite))
                if results[-1].checkpoint is None:
                    break
    return results


def train_stage(stage: str, data: Place | str, run: Path | str, **options: Any) -> StageResult:
    """Train one stage; see `train`.

    Args:
        stage: Its name.
        data, run: As for `train`.
        **options: Further arguments of `train`.

    Returns:
        How far the stage came.

    Raises:
        InvalidValueError: As for `train`, and where the time is over before the stage is begun.
    """
    results = train(data, run, [stage], **options)
    if not results:
        raise InvalidValueError(f"max_minutes was over before the stage {stage} was begun; give it more time")
    return results[0]


def _check_devices(job: StageJob, device: torch.device) -> None:
    """Find what the devices cannot do."""
    devices = job.execution.devices
    check_precision(job.config.precision, device)
    if device.type == "cuda" and devices > torch.cuda.device_count():
        raise InvalidValueError(f"{devices} devices were asked for, there are {torch.cuda.device_count()}")
    parts = devices * job.config.accumulate
    if job.config.batch % parts:
        raise InvalidValueError(
            f"a batch of {job.config.batch} cannot be cut into equal parts for {devices} devices and accumulation "
            f"{job.config.accumulate}; make it a multiple of {parts}"
        )


def _train_stage(job: StageJob, device: torch.device, overwrite: bool) -> StageResult:
    name = job.spec.name
    claim(job, overwrite)
    if job.final.exists():
        metrics = checkpoints.read_card(job.final).metrics
        steps = int(metrics["steps"])
        return StageResult(name, job.final, steps, steps, metrics["loss"], kept=True)
    if job.precomputed is not None and not _precompute(job, job.precomputed, device):
        return StageResult(name, None, 0, job.steps, None, kept=False)
    fabric = _fabric(device, job.execution.devices, job.config.precision)
    steps, total, loss = fabric.launch(partial(_work, job=job))
    return StageResult(name, job.final if steps == total else None, steps, total, loss, kept=False)


def _fabric(device: torch.device, devices: int, precision: Precision) -> Fabric:
    """So many devices, or the one that has a number."""
    which = devices if device.index is None else [device.index]
    strategy = "auto" if devices == 1 else "ddp_spawn"
    return Fabric(accelerator=device.type, devices=which, strategy=strategy, precision=FABRIC[precision])


def _precompute(job: StageJob, folder: Path, device: torch.device) -> bool:
    """Make what is made before the first step, on one device; whether the time sufficed."""
    if job.teacher_targets is not None:
        rename_teacher_targets(folder)
    fabric = _fabric(device, 1, job.config.precision)
    samples, what = job.samples, "scenes" if job.spec.adapts else "teacher"
    assert isinstance(samples, SpikeBlurDataset)
    return precompute(
        folder,
        samples,
        job.maker(samples, fabric.device),
        autocast=fabric.autocast,
        deadline=job.deadline,
        on_sample=lambda done, total: job.execution.tell(StageProgress(what, done, total, {})),
    )


def _work(fabric: Fabric, job: StageJob) -> tuple[int, int, float | None]:
    """Train a stage in this process, one of several perhaps; gives steps done, all there are, and the last loss."""
    if fabric.device.type == "cpu" and fabric.world_size > 1:  # each its share of the processor
        torch.set_num_threads(max(1, torch.get_num_threads() // fabric.world_size))
    samples = job.samples
    workers = job.execution.workers
    loop = Loop(fabric, job.objective(samples.exposure), job.training_set(), job.config, job.folder, workers)
    loop.run(job.deadline, job.execution.tell)
    state = loop.state
    loss = state.history[-1]["loss"] if state.history else None
    if state.steps == loop.total and fabric.is_global_zero:
        checkpoints.save(
            job.final,
            loop.trained(),
            stage=job.spec.name,
            v_th=job.config.v_th,
            data=samples.fingerprint,
            loss=job.spec.objective.name(job.config),
            metrics={"epochs": job.config.epochs, "steps": state.steps, "loss": state.history[-1]["loss"]},
        )
    return state.steps, loop.total, loss
