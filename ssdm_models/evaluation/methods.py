"""What is compared: every way to an image, with and without networks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor, nn

from spikesim import tfi
from spikesim.errors import InputFileError, InvalidValueError
from ssdm_models.checkpoints import Stage
from ssdm_models.cost import parameters
from ssdm_models.deblur import deblur_sequence
from ssdm_models.evaluation.evaluation_set import Domain, Scene
from ssdm_models.evaluation.trained_networks import TrainedNetwork, load_run, load_student
from ssdm_models.intensity import intensity_scale
from ssdm_models.ldn import LDN
from ssdm_models.teacher import Bilinear, Teacher
from ssdm_models.windows import SHORT_READOUTS, long_exposure, short_exposures

Compute = Callable[[Scene], Tensor]


@dataclass(frozen=True)
class Method:
    """A row of the tables.

    Attributes:
        label: What the row is called.
        domain: What its images can be compared with.
        compute: Images (S, C, H, W) in [0, 1] of a scene's readouts, or (1, C, H, W) of its exposure.
        passes: The networks in the order in which one frame goes through them; one that is passed twice is named twice.
        window: Readouts around a time that are looked at.
        sees_spikes: Whether there is a result for each threshold.
        student: Whether it is an LDN.
    """

    label: str
    domain: Domain
    compute: Compute
    passes: Sequence[TrainedNetwork] = ()
    window: int = 1
    sees_spikes: bool = True
    student: bool = False

    @property
    def loss(self) -> str:
        """What the last of its networks minimised."""
        return self.passes[-1].loss if self.passes else ""

    def parameters(self) -> int:
        """Of all its networks, each counted once."""
        return sum(parameters(network) for network in {id(w.network): w.network for w in self.passes}.values())

    def macs(self, height: int, width: int) -> int:
        """Multiplications with weights for one frame on its own, of spikes (height, width)."""
        return sum(weights.macs(height, width) for weights in self.passes)


@dataclass
class Methods:
    """All rows, and what is said of those that are not there."""

    rows: list[Method] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_methods(runs: Sequence[Path], students: Sequence[Path], device: torch.device) -> Methods:
    """The methods that the networks at hand make possible.

    Args:
        runs: Run folders of training. The first gives every method, the others their LDN alone.
        students: Further checkpoints of LDN, ours (`.safetensors`) or the authors'.
        device: Where they compute.

    Raises:
        InputFileError: A run folder or a checkpoint is missing, damaged, or of another network.
        InvalidValueError: Two rows would have one name.
    """
    made = Methods()
    of_run: dict[Stage, TrainedNetwork] = {}
    if runs:
        of_run = load_run(runs[0], device)
        missing = [f"{stage}.safetensors" for stage in get_args(Stage) if stage not in of_run]
        if missing:
            made.notes.append(f"{runs[0]} has no {' and no '.join(missing)}: rows that need it are left out")
    else:
        made.notes.append("there is no run folder: rows of its networks are left out")
    made.rows += _deblurring(of_run)
    for run in runs[1:]:
        further = load_run(run, device)
        if "ldn" not in further:
            raise InputFileError(f"{run} holds no ldn.safetensors; train its stage ldn first, or leave the folder out")
        made.rows.append(_student(f"LDN of {run.name}", further["ldn"]))
    made.rows += [_student(path.stem, load_student(path, device)) for path in students]
    made.rows += _spike_methods(of_run)
    labels = [method.label for method in made.rows]
    for label in labels:
        if labels.count(label) > 1:
            raise InvalidValueError(f"two rows would be called {label!r}; rename one of the files or folders")
    return made


def _deblurring(of_run: Mapping[Stage, TrainedNetwork]) -> list[Method]:
    """From the blurry image alone to the student: colour, full size."""
    methods = [
        Method("blur", "colour", lambda scene: scene.blur.expand(len(scene.readouts), -1, -1, -1), sees_spikes=False),
        _teacher("SDM"),
    ]
    if denoiser := of_run.get("bsn"):
        methods.append(_teacher("SDM+BSN", denoiser))
        if upsampler := of_run.get("sr"):
            methods.append(_teacher("teacher", denoiser, upsampler))
    if student := of_run.get("ldn"):
        methods.append(_student("LDN", student))
    return methods


def _spike_methods(of_run: Mapping[Stage, TrainedNetwork]) -> list[Method]:
    """From spikes alone: short exposures at their own size, and the long one at the image's."""
    methods = [
        Method("TFP", "grey", lambda scene: _light(scene, _short(scene)), window=SHORT_READOUTS),
        Method("TFI", "grey", _tfi),
        Method("bilinear", "exposure", _upsampled(Bilinear())),
    ]
    if bsn := of_run.get("bsn"):
        denoiser = _OneByOne(bsn.network)
        methods.insert(
            2, Method("BSN", "grey", lambda scene: _light(scene, denoiser(_short(scene))), (bsn,), SHORT_READOUTS)
        )
    if sr := of_run.get("sr"):
        methods.append(Method("SR", "exposure", _upsampled(sr.network), (sr,)))
    return methods


def _teacher(label: str, denoiser: TrainedNetwork | None = None, upsampler: TrainedNetwork | None = None) -> Method:
    teacher = Teacher(*(None if weights is None else _OneByOne(weights.network) for weights in (denoiser, upsampler)))

    def compute(scene: Scene) -> Tensor:
        sharp: Tensor = teacher(scene.blur[None], scene.spikes[None], scene.readouts, scene.exposure)[0]
        return sharp

    # The short exposure and the long one are upsampled.
    passes = [weights for weights in (denoiser, upsampler, upsampler) if weights is not None]
    return Method(label, "colour", compute, passes, SHORT_READOUTS)


def _student(label: str, weights: TrainedNetwork) -> Method:
    network = weights.network
    assert isinstance(network, LDN)

    def compute(scene: Scene) -> Tensor:
        return deblur_sequence(network, scene.blur, scene.spikes, scene.readouts, scene.exposure).clamp(0, 1)

    return Method(label, "colour", compute, (weights,), network.readouts, student=True)


def _upsampled(network: nn.Module) -> Compute:
    """The long exposure as light, upsampled."""

    def compute(scene: Scene) -> Tensor:
        light: Tensor = network(long_exposure(scene.spikes, scene.exposure)[None] * _gain(scene))
        return light.clamp(0, 1)

    return compute


def _tfi(scene: Scene) -> Tensor:
    rates = np.stack([tfi(scene.stream, readout)[None] for readout in scene.readouts])
    return _light(scene, torch.from_numpy(rates).to(scene.blur.device))


def _short(scene: Scene) -> Tensor:
    return short_exposures(scene.spikes, scene.readouts)[:, None]


def _light(scene: Scene, rates: Tensor) -> Tensor:
    return (rates * _gain(scene)).clamp(0, 1)


def _gain(scene: Scene) -> Tensor:
    return intensity_scale(scene.blur[None], long_exposure(scene.spikes, scene.exposure)[None])


class _OneByOne(nn.Module):
    """A network that takes one image after the other, so that memory does not grow with their number."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.network(image) for image in images.split(1)])
