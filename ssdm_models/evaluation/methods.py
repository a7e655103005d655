"""What is compared: every way to an image, with and without networks."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from spikesim import tfi, tfstp_video
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.optics import SCALE
from ssdm_models.baselines.baseline import Baseline
from ssdm_models.baselines.quarter_size import QuarterSizeBaseline
from ssdm_models.cost import parameters
from ssdm_models.deblur import deblur_sequence, rendering
from ssdm_models.evaluation.evaluation_set import Domain, MethodInput
from ssdm_models.evaluation.outside_methods import make_outside
from ssdm_models.evaluation.request import Request
from ssdm_models.intensity import intensity_scale
from ssdm_models.shipped import load_shipped
from ssdm_models.stages import STAGES
from ssdm_models.stages.stage_spec import Task
from ssdm_models.stream_view import PackedView
from ssdm_models.teacher import Bilinear, Teacher
from ssdm_models.trained_networks import TrainedNetwork, load_deblurring, load_published, load_run
from ssdm_models.windows import SHORT_LENGTH, long_exposure, short_exposures

Compute = Callable[[MethodInput], Tensor]


@dataclass(frozen=True)
class Method:
    """A row of the tables.

    Attributes:
        label: What the row is called.
        domain: What its images can be compared with.
        compute: Images (S, C, H, W) in [0, 1] of a scene's times, or (1, C, H, W) of its exposure.
        passes: The networks in the order in which one frame goes through them; one that is passed twice is named twice.
        length: How many readouts around a time are looked at.
        sees_spikes: Whether there is a result for each threshold.
        student: Whether it is a network that learned from a teacher, such as LDN.
        knows_direction: Whether it can tell the first of its images from the last; where not, they are compared in both
            orders, and those of the better one count.
        sees_neighbours: Whether it looks at the blurry images before and after.
    """

    label: str
    domain: Domain
    compute: Compute
    passes: Sequence[TrainedNetwork] = ()
    length: int = 1
    sees_spikes: bool = True
    student: bool = False
    knows_direction: bool = True
    sees_neighbours: bool = False

    @property
    def loss(self) -> str:
        """What the last of its networks minimised."""
        return self.passes[-1].loss if self.passes else ""

    def parameters(self) -> int:
        """Of the network that it is called after: all but those that upsample what it shows."""
        return sum(
            parameters(network)
            for network in {id(t.network): t.network for t in self.passes if t.spec.task != "upsampling"}.values()
        )

    def all_parameters(self) -> int:
        """Of all its networks, each counted once."""
        return sum(parameters(network) for network in {id(t.network): t.network for t in self.passes}.values())

    def macs(self, height: int, width: int) -> int:
        """Multiplications with weights for one frame on its own, of spikes (height, width)."""
        return sum(trained.macs(height, width) for trained in self.passes)


@dataclass
class Methods:
    """All rows, and what is said of those that are missing."""

    rows: list[Method] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    upsampler: TrainedNetwork | None = None

    def add(self, label: str, trained: TrainedNetwork, where: str = "") -> None:
        """Add the rows of a network that deblurs: of a published one also with normalised spikes.

        Args:
            label: Of the network.
            trained: The network.
            where: What is added to the label.
        """
        network, passes = trained.deblurring, [trained]
        if isinstance(network, QuarterSizeBaseline):
            if self.upsampler is None:
                self.notes.append(f"{label}{where} needs a network that upsamples (dasr): its rows are left out")
                return
            network.upsampler = (self.upsampler.network,)
            label, passes = f"{label}+{self.upsampler.spec.label}", [trained, self.upsampler]
        self.rows.append(_network(f"{label}{where}", trained, passes))
        if isinstance(network, Baseline) and network.sees_spikes:
            normalised = copy(network)  # of the same weights
            normalised.normalised = True
            again = replace(trained, network=normalised)
            self.rows.append(_network(f"{label}{where}, normalised spikes", again, [again, *passes[1:]]))


def make_methods(request: Request, device: torch.device, ratio: int = SCALE) -> Methods:
    """The methods that the networks at hand make possible.

    Args:
        request: Which networks these are.
        device: Where they compute.
        ratio: How many pixels of the images one of the spikes is wide and high.

    Raises:
        InputFileError: A run folder or a checkpoint is missing, damaged, or of another network.
        InvalidValueError: Two rows would have one name, or a network needs another ratio.
    """
    made = Methods()
    of_run: dict[str, TrainedNetwork] = {}
    if request.runs:
        runs = [Path(run) for run in request.runs]
        of_run, *further = map(load_run, runs)
        missing = [STAGES[stage].file for stage in STAGES.default if stage not in of_run]
        if missing:
            made.notes.append(f"{request.runs[0]} has no {' and no '.join(missing)}: rows that need it are left out")
    else:
        made.notes.append("there is no run folder: rows of its networks are left out")
        runs, further = [], []
    published = [load_published(name, path) for name, path in request.methods if path and name in STAGES]
    found = [trained for run in (of_run, *further) for trained in _of_task("upsampling", run)]
    found += [trained for trained in published if trained.spec.task == "upsampling"]
    made.upsampler = found[0] if found else None
    made.rows += _without_networks(of_run, ratio)
    for trained in _of_task("deblurring", of_run):
        made.add(trained.spec.label, trained)
    for path, run in zip(runs[1:], further, strict=True):
        for trained in _further(path, run):
            if trained.spec.task == "deblurring":
                made.add(trained.spec.label, trained, f" of {path.name}")
    for trained in published:
        if trained.spec.task == "deblurring":
            made.add(trained.spec.label, trained)
    made.rows += [_outside(name, path) for name, path in request.methods if name not in STAGES]
    for path in map(Path, request.checkpoints):
        made.rows += _of_file(path.stem, load_deblurring(path))
    if request.pretrained:
        made.rows.append(_network("pretrained", load_shipped()))
    made.rows += _spike_methods(of_run, ratio)
    labels = [method.label for method in made.rows]
    for label in labels:
        if labels.count(label) > 1:
            raise InvalidValueError(f"two rows would be called {label!r}; rename one of the files or folders")
    for method in made.rows:
        for trained in method.passes:
            trained.spec.require_ratio(ratio)
    for trained in [trained for method in made.rows for trained in method.passes]:
        trained.network.to(device)
    return made


def _further(run: Path, networks: Mapping[str, TrainedNetwork]) -> list[TrainedNetwork]:
    """The networks of a further run that deblur or upsample."""
    found = [*_of_task("deblurring", networks), *_of_task("upsampling", networks)]
    if not found:
        stages = STAGES.of_task("deblurring")
        files = " and no ".join(STAGES[stage].file for stage in stages)
        raise InputFileError(
            f"{run} holds no {files}; train its stage {' or '.join(stages)} first, or leave the folder out"
        )
    return found


def _of_task(task: Task, of_run: Mapping[str, TrainedNetwork]) -> list[TrainedNetwork]:
    return [trained for trained in of_run.values() if trained.spec.task == task]


def _without_networks(of_run: Mapping[str, TrainedNetwork], ratio: int) -> list[Method]:
    """From the blurry image alone to the teacher: colour, full size."""
    methods = [
        Method("blur", "colour", lambda scene: scene.blur.expand(len(scene.times), -1, -1, -1), sees_spikes=False),
        _teacher("SDM", ratio),
    ]
    denoisers, upsamplers = _of_task("denoising", of_run), _of_task("super-resolution", of_run)
    methods += [_teacher(f"SDM+{denoiser.spec.label}", ratio, denoiser) for denoiser in denoisers]
    if denoisers and upsamplers:
        methods.append(_teacher("teacher", ratio, denoisers[0], upsamplers[0]))
    return methods


def _spike_methods(of_run: Mapping[str, TrainedNetwork], ratio: int) -> list[Method]:
    """From spikes alone: short exposures at their own size, and the long one at the image's."""
    return [
        Method("TFP", "grey", lambda scene: _normalised(scene, _short(scene)), length=SHORT_LENGTH),
        Method("TFI", "grey", _tfi),
        Method("TFSTP", "grey", _tfstp),
        *map(_denoiser, _of_task("denoising", of_run)),
        Method("bilinear", "exposure", _upsampled(Bilinear(ratio))),
        *(
            Method(trained.spec.label, "exposure", _upsampled(trained.network), (trained,))
            for trained in _of_task("super-resolution", of_run)
        ),
    ]


def _teacher(
    label: str, ratio: int, denoiser: TrainedNetwork | None = None, upsampler: TrainedNetwork | None = None
) -> Method:
    teacher = Teacher(
        None if denoiser is None else _OneByOne(denoiser.network),
        Bilinear(ratio) if upsampler is None else _OneByOne(upsampler.network),
    )

    def compute(scene: MethodInput) -> Tensor:
        sharp: Tensor = teacher(scene.blur[None], scene.spikes[None], scene.times, scene.exposure)[0]
        return sharp

    # The short exposure and the long one are upsampled.
    passes = [trained for trained in (denoiser, upsampler, upsampler) if trained is not None]
    return Method(label, "colour", compute, passes, SHORT_LENGTH)


def _network(label: str, trained: TrainedNetwork, passes: Sequence[TrainedNetwork] = ()) -> Method:
    """A network that deblurs; where others are passed after it, they are named as well."""
    network = trained.deblurring

    def compute(scene: MethodInput) -> Tensor:
        if isinstance(network, Baseline):
            view = PackedView(scene.blur, scene.stream, scene.exposure, scene.neighbours)
            return torch.stack(list(map(rendering(network, view, scene.times), scene.times))).clamp(0, 1)
        return deblur_sequence(network, scene.blur, scene.spikes, scene.times, scene.exposure).clamp(0, 1)

    return Method(
        label,
        "colour",
        compute,
        passes or (trained,),
        network.length,
        sees_spikes=getattr(network, "sees_spikes", True),
        student=bool(trained.spec.teachers),
        knows_direction=getattr(network, "knows_direction", True),
        sees_neighbours=getattr(network, "sees_neighbours", False),
    )


def _outside(name: str, path: str | Path | None) -> Method:
    """A method of another package."""
    show = make_outside(name, None if path is None else str(path))

    def compute(scene: MethodInput) -> Tensor:
        blur = (255 * scene.blur).round().byte().permute(1, 2, 0).numpy(force=True)
        images = show(blur, scene.stream, scene.exposure, scene.times)
        return torch.from_numpy(np.moveaxis(images, -1, 1).astype(np.float32)).to(scene.blur.device)

    return Method(name, "colour", compute)


def _of_file(label: str, trained: TrainedNetwork) -> list[Method]:
    """A network that deblurs, from a file: as its authors feed it and, where that is otherwise, as it is done here."""
    if trained.released is None or trained.released.normalised:
        return [_network(label, trained)]
    as_released = copy(trained.deblurring)  # of the same weights
    as_released.normalised = False
    return [
        _network(label, replace(trained, network=as_released)),
        _network(f"{label}, normalised spikes", trained),
    ]


def _denoiser(trained: TrainedNetwork) -> Method:
    denoise = _OneByOne(trained.network)

    def compute(scene: MethodInput) -> Tensor:
        return _normalised(scene, denoise(_short(scene)))

    return Method(trained.spec.label, "grey", compute, (trained,), SHORT_LENGTH)


def _upsampled(network: nn.Module) -> Compute:
    """The long exposure, normalised and upsampled."""

    def compute(scene: MethodInput) -> Tensor:
        upsampled: Tensor = network(long_exposure(scene.spikes, scene.exposure)[None] * _scale(scene))
        return upsampled.clamp(0, 1)

    return compute


def _tfi(scene: MethodInput) -> Tensor:
    rates = np.stack([tfi(scene.stream, time)[None] for time in scene.times])
    return _normalised(scene, torch.from_numpy(rates).to(scene.blur.device))


def _tfstp(scene: MethodInput) -> Tensor:
    first = min(scene.times)
    video = tfstp_video(scene.stream, first, max(scene.times) + 1)
    rates = np.stack([video[time - first][None] for time in scene.times])
    return _normalised(scene, torch.from_numpy(rates).to(scene.blur.device))


def _short(scene: MethodInput) -> Tensor:
    return short_exposures(scene.spikes, scene.times)[:, None]


def _normalised(scene: MethodInput, rates: Tensor) -> Tensor:
    return (rates * _scale(scene)).clamp(0, 1)


def _scale(scene: MethodInput) -> Tensor:
    return intensity_scale(scene.blur[None], long_exposure(scene.spikes, scene.exposure)[None])


class _OneByOne(nn.Module):
    """A network that takes one image after the other, so that memory does not grow with their number."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.network(image) for image in images.split(1)])
