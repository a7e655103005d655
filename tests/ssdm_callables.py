"""The public callables of `ssdm_models`, each with arguments that it takes; see `public_callables`."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from baseline_callables import BASELINE_MODULES, BASELINES, baseline_calls
from deblurring_data import EXPOSURE, scene, tensors
from evaluation_data import released_ldn
from PIL import Image
from public_callables import Call, Fresh
from torch import Tensor, nn
from toy_stage import SPEC, Supervised, Toy
from training_data import write_moving

from spikesim import write_spikes
from spikesim_datasets.alignment import Alignment
from ssdm_models import (
    checkpoint_file,
    checkpoints,
    cost,
    deblur,
    deblurring_network,
    evaluation,
    exposure_spans,
    exposure_times,
    exposures,
    intensity,
    load_deblurrer,
    losses,
    metrics,
    pretrained,
    readout_spans,
    recordings,
    sdm,
    sensed_samples,
    shipped,
    trained_networks,
    training,
    windows,
)
from ssdm_models.bsn import BSN
from ssdm_models.deblur import TorchDeblurrer
from ssdm_models.deblurring_network import DeblurringNetwork
from ssdm_models.edsr import EDSR
from ssdm_models.evaluation import Figures, Interval, MethodCard, Results, Row, Score
from ssdm_models.evaluation.ablation import ablation_tables
from ssdm_models.evaluation.rows import write_rows
from ssdm_models.evaluation.tables import Table, tables
from ssdm_models.ldn import LDN
from ssdm_models.losses import reblur
from ssdm_models.multi_exposure import MultiExposure
from ssdm_models.objectives import objective
from ssdm_models.recordings import BlurryRecording, FrameOptions
from ssdm_models.stages import STAGES
from ssdm_models.stages.stage_registry import Stages
from ssdm_models.stages.stage_spec import ReleasedFile, StageSpec
from ssdm_models.stream_view import PackedView, StreamView, TensorView
from ssdm_models.teacher import Bilinear, Teacher
from ssdm_models.without_torch.opencv_deblurrer import OpenCVDeblurrer

MODULES: tuple[ModuleType, ...] = (
    *(checkpoints, cost, deblur, deblurring_network, evaluation, intensity, metrics, objective, reblur, recordings),
    *(
        exposure_spans,
        exposure_times,
        exposures,
        sdm,
        sensed_samples,
        shipped,
        trained_networks,
        training,
        windows,
    ),
    *BASELINE_MODULES,
)
"""Of `losses` and of the tables of an evaluation not everything is for other people to call."""

CLASSES: tuple[type, ...] = (
    *(Bilinear, BSN, EDSR, FrameOptions, PackedView, Results, Stages, StreamView, Table, Teacher),
    *(*BASELINES, OpenCVDeblurrer, TensorView, TorchDeblurrer),
)
"""Not networks that deblur: the parts that they are computed in are checked where their inputs are."""

WRONG: list[Any] = [
    *(np.zeros((1, 3, 32, 48), np.float32), torch.zeros(1), torch.zeros(0), torch.zeros(1, 3, 32, 48)),
    *(torch.zeros(1, 3, 32, 48, dtype=torch.uint8), torch.zeros(1, 1, 4, 4, dtype=torch.int64)),
    *(torch.zeros(1, 1, 0, 4), torch.zeros(1, 1, 4, 4).double(), torch.zeros(1, 2, 3, 8, 12), torch.zeros(3, 3)),
    *(torch.zeros(2, 1, 8, 12), torch.zeros(1, 5, 8, 12).cfloat(), torch.zeros(3, 32, 48, device="meta")),
]
"""Beside those of every package: arrays and tensors of the wrong kind, shape, type and place."""

torch.manual_seed(4)
NETWORK = LDN(length=5).eval()
RECORDING = scene(32, 48)
IMAGE, STREAM = tensors(RECORDING)
BLUR, SPIKES = IMAGE[None], STREAM[None]
GREY = torch.rand(1, 1, 8, 12)
SHARP = torch.rand(1, 2, 3, 32, 48)
PIXELS = np.random.default_rng(3).random((11, 12, 3), np.float32)
VIEW = TensorView(IMAGE, STREAM, EXPOSURE)
TIMES = [8, 20]
TRAINING = {
    "epochs": 1,
    "learning_rate": 1e-3,
    "v_th": (1.0,),
    "split": "train",
    "batch": 1,
    "accumulate": 1,
    "crop": 32,
    "flip": True,
    "schedule": "epoch",
    "rate_floor": 0.0,
    "schedule_part": 1.0,
    "square_decay": 0.999,
    "warm_up": 0,
    "ema": 0.0,
    "clip": 0.0,
    "weight_decay": 0.0,
    "small": False,
    "precision": "float32",
    "seed": 0,
    "perceptual": "laplacian",
    "reblur": 1.0,
    "precompute_teacher": False,
}
EXECUTION = {
    "device": "cpu",
    "devices": 1,
    "workers": 0,
    "max_minutes": 1e-9,
    "command": "a",
    "on_step": lambda step: None,
}
RUN = {"compat": "release", "init": {"bsn": "bsn.safetensors"}, "overwrite": True}
FRAMES = {"exposure": EXPOSURE, "frames": 1, "at": (), "fps": 9, "tile": 64}
SCORE = Score(20.0, 0.5, 0.5, None, None)
ROWS = tuple(
    Row("test/a", window, 1.0, 68, "colour", method, SCORE, 0.1) for window in (1, 2) for method in ("SDM", "LDN")
)
RESULTS = Results(
    data="data",
    split="test",
    thresholds=(1.0,),
    times={"single": (68,)},
    size=(32, 48),
    device="cpu",
    methods=tuple(MethodCard(label, "colour", 1, 1, 1, label == "LDN", "", ()) for label in ("SDM", "LDN")),
    rows=ROWS,
    notes=(),
)
RELEASED = ReleasedFile("toy", {"layer": "conv"})


class Constant(nn.Module):
    """A network without inputs."""

    def forward(self) -> Tensor:
        return torch.zeros(1)


TEACHING = StageSpec("teaching", "T", "deblurring", Toy, Supervised, SPEC.paper, released=RELEASED)


def fresh_stages() -> Stages:
    """The stages that there are, which a call may change."""
    return Stages({name: f"ssdm_models.stages.{name}_stage" for name in STAGES})


def prepare(folder: Path) -> None:
    """The files that the calls read, in the folder that they are made in."""
    write_moving(folder / "data", {"train/a": 1, "test/b": 1}, v_th=(1.0,), size=(44, 64))
    Image.fromarray(RECORDING.blur).save(folder / "blur.png")
    for extension in (".dat", ".npz"):
        write_spikes(folder / f"spikes{extension}", RECORDING.spikes)
    (folder / "run").mkdir()
    checkpoints.save(folder / "bsn.safetensors", BSN())
    checkpoints.save(folder / "run" / "ldn.safetensors", NETWORK, v_th=(1,))
    checkpoints.save(folder / "shipped.safetensors", pretrained(), stage="multi_exposure")
    checkpoints.save(folder / "spkdeblurnet.safetensors", STAGES["spkdeblurnet"].new(small=True))
    released_ldn(folder / "ldn.pth")
    write_rows(folder / "samples.csv", ROWS)


def calls() -> list[Call]:
    """One call of every public callable; some have several, for arguments that exclude each other."""
    return [
        *(*_networks(), *baseline_calls(), *_deblurring(), *_losses_and_metrics()),
        *(*_checkpoints(), *_training(), *_evaluation()),
    ]


def _networks() -> list[Call]:
    return [
        Call(sdm.deblur, blur=BLUR, long_exposure=BLUR[:, :1], short_exposure=BLUR[:, :1]),
        Call(sdm.deblur, blur=BLUR.numpy(), long_exposure=BLUR[:, :1].numpy(), short_exposure=BLUR[:, :1].numpy()),
        Call(BSN, square=True),
        Call(BSN.forward, self=BSN(), image=GREY),
        Call(EDSR),
        Call(EDSR.forward, self=EDSR(), image=GREY),
        Call(LDN, length=5),
        Call(LDN.forward, self=NETWORK, blur=BLUR, spikes=SPIKES[:, :5]),
        Call(LDN.sequence, self=NETWORK, blur=BLUR, spikes=torch.stack([SPIKES[:, :5], SPIKES[:, 2:7]], 1)),
        Call(Bilinear, ratio=2),
        Call(Bilinear.forward, self=Bilinear(), image=GREY),
        Call(Teacher, denoiser=BSN(), upsampler=EDSR()),
        Call(Teacher.forward, self=Teacher(), blur=BLUR, spikes=SPIKES, times=TIMES, exposure=EXPOSURE),
        Call(windows.window, spikes=SPIKES, time=8, length=5),
        Call(windows.windows, spikes=SPIKES, times=TIMES, length=5),
        Call(windows.short_exposures, spikes=SPIKES, times=TIMES),
        Call(windows.long_exposure, spikes=SPIKES, exposure=EXPOSURE),
        Call(intensity.luma, image=BLUR),
        Call(intensity.intensity_scale, blur=BLUR, long_exposure=GREY),
        Call(cost.parameters, network=NETWORK),
        Call(cost.macs, network=Constant()),
        Call(cost.deblurring_macs, network=NETWORK, height=8, width=12),
    ]


def _deblurring() -> list[Call]:
    sequence: dict[str, Any] = {"network": NETWORK, "blur": IMAGE, "spikes": STREAM}
    frames: dict[str, Any] = {"network": NETWORK, "blur": RECORDING.blur, "stream": RECORDING.spikes}
    toy = Toy().eval()
    return [
        Call(deblur.deblur_sequence, **sequence, readouts=TIMES, exposure=EXPOSURE, tile=64),
        Call(deblur.rendering, network=NETWORK, spikes=VIEW, times=TIMES, tile=64),
        Call(deblur.deblur_frames, **frames, times=TIMES, exposure=EXPOSURE, tile=64),
        Call(TorchDeblurrer, network=NETWORK, v_th=(1.0,)),
        *(
            Call(
                type(engine).frames,
                self=engine,
                blur=RECORDING.blur,
                stream=RECORDING.spikes,
                times=TIMES,
                exposure=EXPOSURE,
                tile=tile,
            )
            for engine, tile in ((TorchDeblurrer(NETWORK), 64), (OpenCVDeblurrer(shipped.SHIPPED), None))
        ),
        Call(OpenCVDeblurrer, path="shipped.safetensors"),
        Call(TorchDeblurrer.weights, self=TorchDeblurrer(NETWORK)),
        Call(OpenCVDeblurrer.weights, self=OpenCVDeblurrer(shipped.SHIPPED)),
        Call(load_deblurrer, path="run/ldn.safetensors", device="cpu"),
        Call(exposure_times.usual_exposure, readouts=137),
        Call(exposure_times.frame_times, readouts=30, length=5, exposure=EXPOSURE, frames=3),
        Call(readout_spans.require_exposure, exposure=EXPOSURE),
        Call(readout_spans.span, time=8, length=5, readouts=30),
        Call(readout_spans.within, exposure=EXPOSURE, readouts=30),
        Call(exposure_spans.exposure_spans, time=8, exposure=EXPOSURE, readouts=30),
        Call(TensorView, blur=IMAGE, spikes=STREAM, exposure=EXPOSURE, neighbours=torch.stack([IMAGE, IMAGE])),
        Call(TensorView.take, self=VIEW, part=slice(1, 3)),
        Call(
            PackedView,
            blur=IMAGE,
            stream=RECORDING.spikes,
            exposure=EXPOSURE,
            neighbours=torch.stack([IMAGE, IMAGE]),
        ),
        Call(PackedView.take, self=PackedView(IMAGE, RECORDING.spikes, EXPOSURE), part=slice(1, 3)),
        Call(StreamView.window, self=VIEW, time=8, length=5),
        Call(StreamView.normalised_window, self=VIEW, time=8, length=5),
        Call(StreamView.take, self=VIEW, part=slice(1, 3)),
        Call(exposures.fractional_counts, spikes=STREAM),
        Call(exposures.robust_scale, blur=BLUR, long_exposure=GREY),
        Call(exposures.counted_scale, blur=BLUR, counts=STREAM[None], exposure=EXPOSURE),
        Call(exposures.exposure_planes, counts=STREAM[None], time=8, exposure=EXPOSURE, scale=torch.ones(1, 1, 1, 1)),
        Call(pretrained),
        Call(shipped.load_shipped),
        Call(MultiExposure.prepare, self=pretrained(), spikes=VIEW, time=8),
        Call(DeblurringNetwork.prepare, self=toy, spikes=VIEW, time=8),
        Call(DeblurringNetwork.check, self=toy, blur=BLUR, spikes=SPIKES),
        Call(DeblurringNetwork.renderer, self=toy, blur=BLUR),
        Call(LDN.tiled_renderer, self=NETWORK, blur=BLUR, side=64),
        Call(deblurring_network.check_sizes, blur=BLUR, spikes=SPIKES),
        Call(recordings.read_recording, blur="blur.png", spikes="spikes.npz", alignment=None),
        Call(recordings.taken_threshold, recording=RECORDING, exposure=(2, 9)),
        Call(
            recordings.read_recording,
            blur="blur.png",
            spikes="spikes.dat",
            alignment=Alignment(np.eye(3)),
            height=8,
            width=12,
            flip=True,
        ),
        Call(BlurryRecording, blur=RECORDING.blur, spikes=RECORDING.spikes, alignment=Alignment()),
        Call(FrameOptions, **FRAMES),
        Call(FrameOptions.times, self=FrameOptions(**FRAMES), readouts=30, length=5, usual=1),
        Call(FrameOptions.exposed, self=FrameOptions(), readouts=30),
        *(
            Call(
                recordings.deblur_recording,
                deblurrer=TorchDeblurrer(NETWORK),
                recording=RECORDING,
                output=output,
                overwrite=True,
                on_progress=lambda progress: None,
                **FRAMES,
            )
            for output in ("frames", "frame.png", "frames.gif", "frames.mp4")
        ),
        Call(trained_networks.load_published, name="spkdeblurnet", path="spkdeblurnet.safetensors"),
        Call(trained_networks.load_run, run="run"),
        Call(trained_networks.load_deblurring, path="run/ldn.safetensors"),
        Call(trained_networks.load_trained, path="ldn.pth", stages=["bsn", "ldn"]),
    ]


def _losses_and_metrics() -> list[Call]:
    return [
        Call(losses.make_perceptual, name="ms-ssim"),
        *(
            Call(losses.PerceptualLoss.forward, self=loss, prediction=BLUR, target=BLUR / 2)
            for loss in (losses.MultiScaleSSIM(), losses.LaplacianPyramid())
        ),
        Call(losses.reblur_loss, sharp=SHARP, blur=BLUR),
        *(
            Call(measure, prediction=PIXELS, target=PIXELS / 2, protocol=protocol)
            for measure in (metrics.psnr, metrics.ssim)
            for protocol in ("ssdm", "standard")
        ),
    ]


def _checkpoints() -> list[Call]:
    card = {"v_th": (1,), "data": "a", "loss": "mse", "metrics": {"loss": 0.5}}
    return [
        Call(
            checkpoints.Card, architecture="LDN", arguments={"length": 5}, stage="ldn", versions={"torch": "2"}, **card
        ),
        Call(checkpoints.Loaded, network=NETWORK, spec=STAGES["ldn"], card=None),
        Call(checkpoints.save, path="out.safetensors", network=NETWORK, stage="ldn", half=True, **card),
        Call(checkpoints.load, path="run/ldn.safetensors", stage="ldn", length=5),
        Call(checkpoints.load_any, path="ldn.pth", stages=["bsn", "ldn"]),
        Call(checkpoints.load_any, path="run/ldn.safetensors", stages=["ldn"], length=5),
        Call(checkpoint_file.has_checksum, path="run/ldn.safetensors"),
        Call(checkpoint_file.is_ours, path="ldn.pth"),
        Call(checkpoint_file.read_arrays, path="run/ldn.safetensors"),
        Call(checkpoints.load_released, path_or_state_dict="ldn.pth", kind="ldn"),
        Call(checkpoints.read_card, path="run/ldn.safetensors"),
    ]


def _training() -> list[Call]:
    stage = {field: getattr(SPEC, field) for field in StageSpec.__dataclass_fields__}
    return [
        Call(training.make_config, stage="bsn", compat="release", **TRAINING),
        Call(training.StageConfig, stage="bsn", **TRAINING),
        Call(training.Execution, **EXECUTION),
        Call(training.StageProgress, stage="bsn", steps=1, total=2, means={}),
        Call(training.StageResult, stage="bsn", checkpoint=None, steps=1, total=2, loss=None, kept=False),
        Call(training.train, data="data", run="trained", stages=["bsn"], **RUN, **EXECUTION, **TRAINING),
        Call(
            training.train_stage, stage="bsn", data="data", run="taught", **EXECUTION | {"max_minutes": 1}, **TRAINING
        ),
        Call(objective.training_times, exposure=EXPOSURE, readouts=137, length=21),
        Call(ReleasedFile, kind="toy", names={"layer": "conv"}, v_th=(1.0,), fix=None, normalised=False),
        Call(StageSpec, **stage),
        Call(
            StageSpec,
            **stage | {"teachers": ("bsn",), "make_teacher": Teacher, "released": RELEASED, "in_default_run": True},
        ),
        Call(Stages, modules={"bsn": "ssdm_models.stages.bsn_stage"}),
        Call(Stages.register, self=Fresh(fresh_stages), spec=TEACHING),
        Call(Stages.unregister, self=Fresh(fresh_stages), name="bsn"),
        Call(Stages.find, self=STAGES, name="bsn"),
        Call(Stages.of_task, self=STAGES, task="deblurring"),
    ]


def _evaluation() -> list[Call]:
    interval = Interval(1.0, 0.5, 1.5, 2)
    request = {"runs": ["run"], "pretrained": False, "v_th": (1,), "sequence": False, "limit": 1, "device": "cpu"}
    table = Table("a", ("b",), (("c",),))
    return [
        Call(evaluation.Request, **request, checkpoints=["ldn.pth"], methods=[("red", "red.safetensors")]),
        Call(
            evaluation.evaluate,
            data="data",
            split="test",
            out="evaluated",
            overwrite=True,
            on_progress=lambda progress: None,
            checkpoints=[],
            **request,
        ),
        Call(evaluation.read_rows, path="samples.csv"),
        Call(evaluation.bootstrap, values=[1.0, 2.0], seed=1),
        Call(Interval, **vars(interval)),
        Call(Figures, domain="colour", frames="single", v_th=1.0, method="SDM", metrics={"psnr": interval}),
        Call(
            evaluation.Difference,
            domain="colour",
            better="LDN",
            worse="SDM",
            frames="single",
            v_th=1.0,
            metrics={"psnr": interval},
        ),
        Call(MethodCard, **vars(RESULTS.methods[0])),
        Call(Row, **vars(ROWS[0])),
        Call(Score, **vars(SCORE)),
        Call(
            Results,
            **{name: getattr(RESULTS, name) for name in Results.__dataclass_fields__},
        ),
        Call(Results.difference, self=RESULTS, method="LDN", than="SDM", v_th=1.0, frames="single", metric="psnr"),
        Call(Results.record, self=RESULTS),
        Call(tables, results=RESULTS),
        Call(ablation_tables, results=RESULTS),
        Call(Table, title="a", columns=("b",), rows=(("c",),), quoted=(0,)),
        Call(Table.text, self=table, form="latex"),
    ]
