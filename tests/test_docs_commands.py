"""The commands of pages that newcomers follow are run, in their order, on small data of the names that they give."""

import shlex
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from report_data import write_evaluation, write_run
from test_docs import _AS_SHOWN, ROOT, lines_of

from spikesim import SpikeCamera, simulate, write_spikes
from spikesim_datasets.build import build_clips
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.sources import DemoClip

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    clip = DemoClip("train", "GOPR0372_07_00", "street", 68, 64, 96)
    build_clips([clip], folder / "data" / "gopro", make_recipe((1, 2, 4), interpolation="linear"), workers=1)
    frames = list(DemoClip("train", "clip", "desk", 29, 64, 96).frames(0, 29))
    iio.imwrite(folder / "clip.mp4", np.stack(frames), plugin="pyav", codec="libx264", fps=240)
    light = np.linspace(0, 1, 400, dtype=np.float32) * np.ones((60, 250, 1), np.float32)
    write_spikes(folder / "recording.dat", simulate(light, SpikeCamera()))
    (folder / "recording.json").unlink()  # which recordings of others do not have
    for name in ("recording.h5", "simulated.h5"):
        write_spikes(folder / name, simulate(light[:, :18, :30], SpikeCamera()))
    for name in ("ssdm", "other"):
        write_run(folder / "runs" / name, loss=2.0)
    write_evaluation(folder / "results")
    return folder


# Others run them: the demo by a test of its own, comparisons of interpolators on small clips.
LEFT_OUT = ["spikesim demo", "spikesim interpolate --check", *(["--rerun"] if find_spec("rerun") is None else [])]


def run_all(text: str, folder: Path) -> list[str]:
    """Run the commands of a page, and return those that failed, with what they said."""
    failed = []
    for line in lines_of(text, "spikesim"):
        words = shlex.split(line, comments=True)
        named = len(words) < 3 or words[-1].startswith("--")  # as text does
        if not named and not any(part in line for part in LEFT_OUT):
            ran = subprocess.run(words, cwd=folder, **_AS_SHOWN)
            if ran.returncode:
                failed.append(f"{line}: {ran.stderr[-300:]}")
    return failed


@pytest.mark.parametrize("name", ["docs/quickstart.md", "docs/reports.md"])
def test_commands_of_a_page_run(material: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(material, tmp_path / "here")
    text = (ROOT / name).read_text("utf-8")
    assert len(lines_of(text, "spikesim")) > 5
    assert run_all(text, tmp_path / "here") == []


def test_a_planted_command_that_fails_is_found(material: Path) -> None:
    (found,) = run_all("```bash\nspikesim info data/gopro\nspikesim info nothing.dat\n```\n", material)
    assert found.startswith("spikesim info nothing.dat: ")
    assert "does not exist" in found
