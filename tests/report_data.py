"""What tests of reports share: a small dataset, a training run and an evaluation."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from build_data import write_frames

from spikesim import SpikeStream, write_spikes
from spikesim_datasets.build import build_dataset
from ssdm_models.evaluation.extremes import ExtremeImages, image_name, rank_samples
from ssdm_models.evaluation.rows import Row, write_rows
from ssdm_models.evaluation.scores import Score
from ssdm_models.training.log import Log


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data` (two clips, thresholds 1 and 2), `spikes.npz`, `run`, `other` and `evaluation`."""
    root = tmp_path_factory.mktemp("reported")
    for name, split, phase in (("waves", "train", 0), ("ripples", "test", 1)):
        frames = write_frames(root / name, 42, 72, 128, phase)
        build_dataset(frames, root / "data", (1, 2), split=split, interpolation="linear", sharp="sequence", workers=1)  # type: ignore[arg-type]
    write_spikes(root / "spikes.npz", spoiled_stream())
    write_run(root / "run", loss=2.0)
    write_run(root / "other", loss=3.0, epochs=5)
    write_evaluation(root / "evaluation")
    return root


def spoiled_stream() -> SpikeStream:
    """Pixels (21, 37) that fire in every third of 90 readouts, but for a dead and a hot one."""
    dense = np.zeros((90, 21, 37), np.uint8)
    dense[::3] = 1
    dense[:, 4, 9] = 0
    dense[:, 17, 30] = 1
    return SpikeStream.from_dense(dense)


def write_run(folder: Path, loss: float, epochs: int = 3) -> None:
    """Three epochs of a stage, of so many."""
    (folder / "bsn").mkdir(parents=True)
    (folder / "bsn" / "config.json").write_text(json.dumps({"config": {"stage": "bsn", "epochs": epochs, "crop": 64}}))
    rows = [f"{i},{10 * i},{1e-3 / i},{loss / i},0.01,0.1,{60 * i}" for i in (1, 2, 3)]
    header = "epoch,step,learning_rate,loss,data_seconds,step_seconds,seconds"
    (folder / "bsn" / "metrics.csv").write_text("\n".join([header, *rows]) + "\n")
    log = Log(folder / "bsn", 0)
    for step in (10, 20, 30):
        log.images({"tfp": torch.full((2, 1, 16, 24), step / 40), "bsn": torch.full((2, 1, 16, 24), 0.5)}, step)
    log.close()


def write_evaluation(folder: Path) -> None:
    """Two methods at two thresholds, two clips."""
    folder.mkdir()
    psnr = {("blur", None): (20.0, 22.0), ("LDN", 1.0): (27.0, 30.0), ("LDN", 2.0): (25.0, 28.0)}
    summary = [
        {
            "domain": "colour",
            "frames": "single",
            "method": method,
            "v_th": v_th,
            "metrics": {"psnr": {"mean": sum(found) / 2, "low": found[0], "high": found[1], "samples": 2}},
        }
        for (method, v_th), found in psnr.items()
    ]
    card = {"domain": "colour", "parameters": 234158, "macs": 33_600_000_000, "seconds": 0.5}
    record = {
        "data": "data",
        "split": "test",
        "samples": 2,
        "size": [720, 1280],
        "device": "a processor",
        "times": {"single": [68]},
        "notes": ["rows are missing"],
        "methods": [{"label": "LDN", **card}],
        "summary": summary,
    }
    (folder / "evaluation.json").write_text(json.dumps(record))
    rows = [
        Row(f"test/{clip}", 3, v_th, 68, "colour", method, Score(found[number], 0.5, 0.5, None, None), 0.5)
        for (method, v_th), found in psnr.items()
        for number, clip in enumerate(("a", "b"))
    ]
    write_rows(folder / "samples.csv", rows)
    images = {
        name: np.full((36, 64, 3), 40 * i, np.uint8) for i, name in enumerate(["sharp", *map(image_name, rows[::2])])
    }
    ExtremeImages(folder / "images").keep(rank_samples(rows, (68,)), "test/a", 3, images)
