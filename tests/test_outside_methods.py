"""Methods of other packages: found, held to the contract, and compared."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from baseline_data import data  # noqa: F401

from spikesim import SpikeStream
from spikesim.errors import InvalidValueError
from ssdm_models.evaluation import evaluate
from ssdm_models.evaluation.outside_methods import GROUP, make_outside, outside_names


def mean(path: str | None) -> Any:
    """A method that shows the blurry image at every time, darker by what a file says."""
    factor = 1.0 if path is None else float(Path(path).read_text())

    def show(blur: np.ndarray, spikes: SpikeStream, exposure: tuple[int, int], times: Sequence[int]) -> np.ndarray:
        assert spikes.shape[1:] == (blur.shape[0] // 4, blur.shape[1] // 4)
        return np.stack([factor * blur / 255] * len(times)).astype(np.float32)

    return show


WRONG = {
    "small": lambda blur, spikes, exposure, times: np.zeros((len(times), 4, 4, 3), np.float32),
    "bytes": lambda blur, spikes, exposure, times: np.stack([blur] * len(times)),
    "bright": lambda blur, spikes, exposure, times: np.full((len(times), *blur.shape), 1.5, np.float32),
    "nothing": lambda blur, spikes, exposure, times: np.full((len(times), *blur.shape), np.nan, np.float32),
    "fails": lambda blur, spikes, exposure, times: 1 / 0,
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with methods."""
    info = tmp_path / "site" / "elsewhere-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    names = ["mean = test_outside_methods:mean", "gone = nowhere_at_all:method"]
    names += [f"{name} = test_outside_methods:make_{name}" for name in WRONG]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *names]))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


for _name, _method in WRONG.items():
    globals()[f"make_{_name}"] = lambda path, method=_method: method


def test_a_method_of_another_package_has_a_row(package: None, data: Path, tmp_path: Path) -> None:  # noqa: F811
    assert outside_names() == sorted(["mean", "gone", *WRONG])
    (tmp_path / "factor.txt").write_text("0.5")
    results = evaluate(data, methods=[("mean", None)], v_th=[1], limit=1, device="cpu")
    psnr = {f.method: f.metrics["psnr"].mean for f in results.summary if f.frames == "sequence"}
    assert psnr["mean"] == pytest.approx(psnr["blur"], abs=1e-4)
    darker = evaluate(data, methods=[("mean", tmp_path / "factor.txt")], v_th=[1], limit=1, device="cpu")
    assert next(f for f in darker.summary if f.method == "mean").metrics["psnr"].mean < psnr["mean"] - 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("small", r"must give floating-point images \(2, 8, 12, 3\), it gave float32 \(2, 4, 4, 3\)"),
        ("bytes", r"it gave uint8 \(2, 8, 12, 3\)"),
        ("bright", r"images in \[0, 1\], it gave values from 1\.5 to 1\.5; clip them"),
        ("nothing", r"images in \[0, 1\]"),
        ("fails", "failed \\(ZeroDivisionError: division by zero\\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:All-NaN:RuntimeWarning")
def test_what_breaks_the_contract_is_refused(package: None, name: str, said: str) -> None:
    stream = SpikeStream.from_dense(np.zeros((9, 2, 3), np.uint8))
    with pytest.raises(InvalidValueError, match=said):
        make_outside(name)(np.zeros((8, 12, 3), np.uint8), stream, (1, 8), [3, 4])


def test_methods_that_are_not_there_are_refused(package: None) -> None:
    with pytest.raises(InvalidValueError, match=r"no installed package offers a method 'none' .*; there are bright, "):
        make_outside("none")
    with pytest.raises(InvalidValueError, match="the method 'gone' of nowhere_at_all:method cannot be made"):
        make_outside("gone")


EXAMPLE = Path(__file__).parents[1] / "docs" / "example_method"


@pytest.mark.long
def test_the_example_of_the_documentation_is_a_package_with_a_row(data: Path, tmp_path: Path) -> None:  # noqa: F811
    page = (EXAMPLE.parent / "baselines.md").read_text()
    assert f"```py\n{(EXAMPLE / 'two_counts.py').read_text()}```" in page
    assert f"```toml\n{(EXAMPLE / 'pyproject.toml').read_text()}```" in page
    site, source = tmp_path / "site", shutil.copytree(EXAMPLE, tmp_path / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", site, source], check=True)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)])}

    def spikesim(*words: object) -> subprocess.CompletedProcess[str]:
        program = "from spikesim_cli.main import main; main()"
        command = [sys.executable, "-c", program, "eval-ssdm", "--data", data, "--vth", 1, *words]
        return subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True)

    shown = spikesim("--limit", 1, "--method", "two-counts")
    assert shown.returncode == 0, shown.stderr
    assert "two-counts" in shown.stdout
    missing = spikesim("--method", f"two-counts={tmp_path / 'none.txt'}")
    assert (missing.returncode, missing.stdout) == (2, "")
    told = "the method 'two-counts' of two_counts:make cannot be made (FileNotFoundError"
    assert told in " ".join(missing.stderr.split())
