"""The record of how a stage is trained, by which a folder tells whether it holds this training or another."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import spikesim
from spikesim.errors import InputFileError, OutputError
from spikesim.files import atomic_path, checksum
from spikesim.input_files import read_json
from ssdm_models.old_names import ADDED, renamed_settings
from ssdm_models.stage_config import SETTINGS
from ssdm_models.training.job import StageJob

RECORD = "config.json"
"""Of a stage, in its folder."""


def _provenance(job: StageJob) -> dict[str, Any]:
    """What is kept of a training without deciding its weights."""
    versions = {"spikesim": spikesim.__version__, "torch": torch.__version__}
    source = job.data.resolve() if isinstance(job.data, Path) else job.data  # an address is written without secrets
    return {"source": str(source), "command": job.execution.command, "versions": versions}


def claim(job: StageJob, overwrite: bool) -> None:
    """Make sure that what the folder holds of the stage, if anything, is this training; then write that down.

    Raises:
        OutputError: It is another, and may not be replaced.
        InputFileError: It does not say.
    """
    path, wanted = job.folder / RECORD, _identity(job)
    others: list[str] = []
    if path.exists():
        others = differences(read_record(path), wanted)
    elif job.final.exists():
        others = ["nothing says how it was trained"]
    if others and not overwrite:
        raise OutputError(
            f"{job.run} holds another training of the stage {job.spec.name} ({'; '.join(others)}); choose another "
            "folder, leave the stage out, or replace it with --overwrite"
        )
    if others:
        shutil.rmtree(job.folder, ignore_errors=True)
        job.final.unlink(missing_ok=True)
    if not job.final.exists():
        if path.exists():  # of an earlier version, it stays so: without settings that were added since
            known = _parts(path)["config"]
            wanted["config"] = {name: value for name, value in wanted["config"].items() if name in known}
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps({**wanted, **_provenance(job)}, indent=1))


def begun_with(path: Path) -> dict[str, Any]:
    """The settings that a training was begun with, if that was an earlier version, which knew fewer of them.

    It goes on with these where no others are given, for those that a stage has by itself may be others today.

    Args:
        path: The record.

    Returns:
        Values of `StageConfig`; none where there is no training, or one of today.

    Raises:
        InputFileError: It is damaged.
    """
    if not path.exists():
        return {}
    config = _parts(path)["config"]
    if ADDED.keys() <= config.keys():
        return {}
    return {name: value for name, value in {**ADDED, **config}.items() if name in SETTINGS}


def _identity(job: StageJob) -> dict[str, Any]:
    """What decides the weights: configuration, samples, and the networks it begins with and learns from."""
    networks = {} if job.init is None else {"init": checksum(job.init)}
    networks |= {stage: checksum(job.taught_by(stage)) for stage in job.teachers}
    config = job.config.record(job.spec.own_settings)
    return {"config": config, "data": {"samples": job.samples.fingerprint}, "networks": networks}


def read_record(path: Path) -> dict[str, Any]:
    """What decides the weights of a stage, by part, with the names of today.

    Raises:
        InputFileError: It is damaged.
    """
    parts = _parts(path)
    return {**parts, "config": {**ADDED, **parts["config"]}}


def _parts(path: Path) -> dict[str, Any]:
    """What a record holds, with the names of today."""
    try:
        record = read_json(path)
        parts = {part: dict(record[part]) for part in ("config", "data", "networks")}
        return {**parts, "config": renamed_settings(parts["config"])}
    except (ValueError, KeyError, TypeError, AttributeError, InputFileError) as error:
        raise InputFileError(f"{path} is damaged ({error!r}); remove {path.parent} to train its stage again") from error


def differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """In words, where the configuration of a training differs from what is wanted."""
    found = []
    for part in wanted:
        for name in dict.fromkeys([*there[part], *wanted[part]]):
            old, new = there[part].get(name), wanted[part].get(name)
            if old != new:
                found.append(f"{name} {old}, not {new}" if part == "config" else f"other {part}: {name}")
    return found
