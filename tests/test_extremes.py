"""Extreme samples: what an evaluation keeps images of is what its methods do worst and best at, whatever the order."""

from pathlib import Path
from tempfile import TemporaryDirectory

import imageio.v3 as iio
import numpy as np
import pytest
from evaluation_data import data  # noqa: F401
from hypothesis import given
from hypothesis import strategies as st

from spikesim_datasets.progress import Progress
from ssdm_models import evaluation
from ssdm_models.evaluation.extremes import ExtremeImages, extremes, image_name, rank_samples
from ssdm_models.evaluation.rows import Row, read_rows
from ssdm_models.evaluation.scores import Score
from ssdm_models.metrics import psnr

IMAGE = np.zeros((2, 3, 3), np.uint8)


def row(window: int, decibels: float, method: str = "LDN", v_th: float | None = 1.0) -> Row:
    return Row("test/a", window, v_th, 68, "colour", method, Score(decibels, 0.5, 0.5, None, None), 0.1)


def test_ranks_are_means_of_single_colour_frames() -> None:
    rows = [row(1, 30.0), row(1, 20.0, v_th=2.0), row(2, 24.0), row(2, 22.0, "blur", None)]
    others = [
        Row("test/a", 2, 1.0, 20, "colour", "LDN", rows[0].score, 0.1),
        Row("test/a", 2, None, None, "exposure", "TFP", rows[0].score, 0.1),
    ]
    assert rank_samples([*rows, *others], (68,)) == [(23.0, "test/a", 2), (25.0, "test/a", 1)]
    assert [image_name(found) for found in rows[1:4:2]] == ["LDN, V_th 2", "blur"]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=9, unique=True))
def test_what_is_kept_does_not_depend_on_the_order(decibels: list[int]) -> None:
    with TemporaryDirectory() as folder:
        images, rows = ExtremeImages(Path(folder) / "images"), []
        for window, value in enumerate(decibels):
            rows.append(row(window, float(value)))
            images.keep(rank_samples(rows, (68,)), "test/a", window, {"sharp": IMAGE, "LDN, V_th 1": IMAGE})
        ranked = rank_samples(rows, (68,))
        kept = extremes(ranked)
        by_value = sorted(decibels)
        assert [sample.psnr for sample in kept] == (by_value if len(by_value) <= 4 else by_value[:2] + by_value[-2:])
        assert {path.name for path in (Path(folder) / "images").iterdir()} == {f"test_a_{s.window}" for s in kept}
        for sample in ranked:
            found = images.files(sample, ["sharp", "LDN, V_th 1"])
            assert [path.name for path in found.values()] == (
                ["00_sharp.png", "01_LDN_V_th_1.png"] if sample in kept else []
            )


def test_an_evaluation_keeps_the_images_that_it_judged(data: Path, tmp_path: Path) -> None:  # noqa: F811
    evaluation.evaluate(data, limit=2, out=tmp_path / "whole")
    rows = read_rows(tmp_path / "whole" / "samples.csv")
    singles = [found for found in rows if found.domain == "colour" and found.readout == 68]
    kept = ExtremeImages(tmp_path / "whole" / "images")
    names = ["sharp", *dict.fromkeys(map(image_name, singles))]
    for sample in rank_samples(rows, (68,)):
        images = {name: iio.imread(path) / 255 for name, path in kept.files(sample, names).items()}
        assert list(images) == names
        judged = {image_name(found): found.score.psnr for found in singles if found.window == sample.window}
        assert judged
        for name, decibels in judged.items():
            assert psnr(images[name], images["sharp"]) == pytest.approx(decibels, abs=0.1), name


def test_an_interrupted_evaluation_keeps_the_same(data: Path, tmp_path: Path) -> None:  # noqa: F811
    def interrupt(progress: Progress) -> None:
        if progress.done > progress.total // 2:
            raise KeyboardInterrupt

    evaluation.evaluate(data, out=tmp_path / "whole", sequence=False)
    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(data, out=tmp_path / "parts", sequence=False, on_progress=interrupt)
    evaluation.evaluate(data, out=tmp_path / "parts", sequence=False)
    whole, parts = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.png")}
        for name in ("whole", "parts")
    )
    assert whole
    assert whole == parts
    evaluation.evaluate(data, out=tmp_path / "parts", sequence=False, limit=1, overwrite=True)
    assert len([*(tmp_path / "parts" / "images").iterdir()]) == 1
