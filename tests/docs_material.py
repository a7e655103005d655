"""What the commands of the pages work on: small files and folders of the names that the pages give."""

import shutil
import warnings
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch
from baseline_data import untrained
from dataset_arguments import Midway
from golden_weights import rebuilt
from PIL import Image, ImageOps
from random_networks import rife_weights, xvfi_weights
from report_data import write_evaluation, write_run

from spikesim import SpikeCamera, SpikeStream, simulate, write_spikes
from spikesim_datasets.build import build_clips
from spikesim_datasets.layouts import shards_to_layout
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.sources import DemoClip
from ssdm_models.ldn import LDN
from ssdm_models.released import slots
from ssdm_models.training import train

HEIGHT, WIDTH = 96, 128  # the least that every network here is trained on
RIM = 2  # pixels that the colour camera sees beyond the spike camera, on every side
SHORT = {"crop": 32, "batch": 4, "epochs": 1, "workers": 0, "device": "cpu", "perceptual": "laplacian"}

TAKEN = {
    "README.md": "GOPRO blur.png spikes.dat",
    "docs/baselines.md": "clips cups.mp4=short.mp4 coffee.mp4=short.mp4 cockatoo.mp4=short.mp4 data/test runs/ssdm",
    "docs/camera.md": "dark.dat dim.dat bright.dat clips=little clip.mp4 camera.toml scene.mp4=clip.mp4 "
    "recording.h5 recording.dat",
    "docs/cluster.md": "GOPRO",
    "docs/commands.md#build": "clip.mp4 frames photos long.mp4=clip.mp4 X4K1000FPS/train/a/b=frames",
    "docs/commands.md#build-gopro": "GOPRO GOPRO_Large_all=GOPRO",
    "docs/commands.md#calibrate": "dark.dat dim.dat bright.dat",
    "docs/commands.md#convert": "recording.dat long.h5 data/gopro Released-GOPRO",
    "docs/commands.md#deblur": "blur.png spikes.dat blur.jpg spikes.h5=long.h5 spikes.npz DeblurNet_100.pth runs/ssdm "
    "H.txt recordings",
    "docs/commands.md#eval-ssdm": "data/gopro data/mine=data/gopro DeblurNet_100.pth runs/ssdm runs/lambda_10",
    "docs/commands.md#index": "data/gopro",
    "docs/commands.md#info": "data/gopro clip.mp4 recording.dat",
    "docs/commands.md#interpolate": "clip.mp4=short.mp4 other.mp4=short.mp4 flownet.pkl=train_log/flownet.pkl",
    "docs/commands.md#report": "data/gopro recording.dat runs/ssdm=logged runs/other=logged results",
    "docs/commands.md#simulate": "clip.mp4 frames",
    "docs/commands.md#train-baseline": "data/gopro data/mine=data/gopro runs/baselines/bit.safetensors",
    "docs/commands.md#train-ssdm": "data/gopro data/mine=data/gopro recording=data/gopro",
    "docs/commands.md#verify": "data/gopro runs/ssdm recording.dat DeblurNet_100.pth",
    "docs/commands.md#view": "recording.dat clip.dat clip.json data/gopro clip.mp4 real.h5=recording.h5 "
    "simulated.h5=recording.h5",
    "docs/datasets.md": "GOPRO clip.mp4 frames clips photos H.txt Released-GOPRO",
    "docs/deblurring.md": "blur.png spikes.dat spikes.h5=long.h5 DeblurNet_100.pth blur.jpg H.txt recordings clip "
    "data/gopro",
    "docs/evaluation.md": "data/gopro runs/ssdm runs/lambda_10 runs/without_teacher",
    "docs/gopro.md": "GOPRO",
    "docs/index.md": "clip.mp4 blur.png spikes.dat",
    "docs/interchange.md": "data/gopro",
    "docs/interpolation.md": "clip.mp4=short.mp4 GOPRO=GOPRO-short XVFInet_X4K1000FPS_exp1_latest.pt train_log "
    "model.pt",
    "docs/physics.md": "clip.mp4 ours.toml=camera.toml",
    "docs/quickstart.md": "clip.mp4 recording.dat",
    "docs/recordings.md": "spikes.dat=long.dat blur.jpg H.txt recordings",
    "docs/reports.md": "data/gopro recording.dat recording.h5 simulated.h5=recording.h5 runs/ssdm=logged "
    "runs/other=logged results",
    "docs/results.md": "cups.mp4=short.mp4 coffee.mp4=short.mp4 cockatoo.mp4=short.mp4 DeblurNet_100.pth",
    "docs/scripting.md": "data/gopro .config/fish/completions",
    "docs/training.md": "data/gopro clips data/recording=data/gopro recording=recordings blur.png spikes.dat",
}
"""What a page takes as there before its first command: names in `write_material`, or NAME=OTHER for another of them.

A page that is not listed begins in an empty folder.
"""


def lay_out(material: Path, page: str, folder: Path) -> None:
    """Copy what a page takes as there into a folder."""
    for entry in TAKEN.get(page, "").split():
        name, _, other = entry.partition("=")
        source, target = material / (other or name), folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)


def write_material(root: Path) -> None:
    """Everything that a page takes as there, by name."""
    _write_clips(root)
    _write_datasets(root)
    _write_recordings(root)
    _write_networks(root)
    write_run(root / "logged", loss=2.0)
    write_evaluation(root / "results")


def _write_clips(root: Path) -> None:
    frames = list(DemoClip("train", "clip", "desk", 68, HEIGHT, WIDTH).frames(0, 68))  # four windows
    for name, count in (("clip.mp4", 55), ("clips/a.mp4", 55), ("short.mp4", 29)):
        _write_video(root / name, frames[:count])
    _write_video(root / "little" / "a.mp4", [frame[::4, ::4] for frame in frames[:29]])
    for name, some in (
        ("frames", frames[:55]),
        ("GOPRO/train/GOPR0372_07_00", frames[:29]),
        ("GOPRO/test/GOPR0384_11_00", frames),
        ("GOPRO-short/train/GOPR0372_07_00", frames[:29]),
        ("photos", [np.kron(frames[0], np.ones((4, 4, 1), np.uint8))]),
    ):
        (root / name).mkdir(parents=True)
        for number, frame in enumerate(some):
            iio.imwrite(root / name / f"{number:06d}.png", frame)


def _write_video(path: Path, frames: list[np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(path, np.stack(frames), plugin="pyav", codec="libx264", fps=240)


def _write_datasets(root: Path) -> None:
    recipe = make_recipe((1, 2, 3, 4), interpolation="linear", sharp="sequence")
    clips = [
        DemoClip("train", "GOPR0372_07_00", "street", 68, HEIGHT, WIDTH),
        DemoClip("test", "GOPR0384_11_00", "street", 68, HEIGHT, WIDTH),
    ]
    build_clips(clips, root / "data" / "gopro", recipe, workers=1)
    build_clips(clips[1:], root / "data" / "test", recipe, workers=1)
    shards_to_layout(root / "data" / "test", root / "Released-GOPRO", 1)
    (root / "Released-GOPRO" / "spikesim.json").unlink()  # which those of others do not have


def _write_recordings(root: Path) -> None:
    sample = open_dataset(root / "data" / "gopro", "train")[0]
    spikes = sample.spikes[1.0]
    image = Image.fromarray(sample.blur)
    wide = ImageOps.expand(image, RIM)
    image.save(root / "blur.png")
    wide.save(root / "blur.jpg")
    np.savetxt(root / "H.txt", [[1, 0, -RIM], [0, 1, -RIM], [0, 0, 1]])
    for name in ("spikes.dat", "recording.dat", "recordings/walk/000001.dat", "clip/spike_data/000001.dat"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_spikes(root / name, spikes, describe=False)
    for name in ("spikes.npz", "recording.h5", "clip.dat"):
        write_spikes(root / name, spikes)
    image.save(root / "recordings" / "walk" / "000001.jpg")
    (root / "clip" / "blur_data").mkdir()
    wide.save(root / "clip" / "blur_data" / "000001.jpg")
    dense = spikes.dense()
    long = SpikeStream.from_dense(np.concatenate([dense, dense]))
    write_spikes(root / "long.dat", long, describe=False)
    write_spikes(root / "long.h5", long)
    for name, level in (("dark", 0), ("dim", 0.15), ("bright", 0.3)):
        light = np.full((1000, *spikes.shape[1:]), level, np.float32)
        write_spikes(root / f"{name}.dat", simulate(light, SpikeCamera.preset("realistic"), key=name), describe=False)
    SpikeCamera.preset("realistic", v_th=2).save(root / "camera.toml")
    (root / ".config" / "fish" / "completions").mkdir(parents=True)  # which fish makes


def _write_networks(root: Path) -> None:
    train(root / "data" / "gopro", root / "runs" / "ssdm", v_th=(1, 2), **SHORT)
    for name, options in (("lambda_10", {"reblur": 10.0}), ("without_teacher", {"perceptual": "none"})):
        run = Path(shutil.copytree(root / "runs" / "ssdm", root / "runs" / name))
        train(root / "data" / "gopro", run, ["ldn"], v_th=(1, 2), overwrite=True, **{**SHORT, **options})
    released = {slot.released[0]: slot.shape for slot in slots(LDN(), "ldn")}
    torch.save(rebuilt(released, "ldn", {}), root / "DeblurNet_100.pth")
    torch.save(xvfi_weights(8), root / "XVFInet_X4K1000FPS_exp1_latest.pt")
    (root / "runs" / "baselines").mkdir()
    untrained(root / "runs" / "baselines", "bit")
    (root / "train_log").mkdir()
    torch.save(rife_weights("4.6"), root / "train_log" / "flownet.pkl")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Midway()).save(root / "model.pt")
