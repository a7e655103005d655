"""The recipe of a dataset: the choices that decide what its arrays hold, and what made it."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from typing import Any, get_args

from spikesim import SpikeCamera, __version__
from spikesim.errors import InvalidValueError
from spikesim_datasets.exposure import ExposurePlan, Sharp
from spikesim_datasets.interpolation import Interpolator, make_interpolator
from spikesim_datasets.optics import Downscale, Optics
from spikesim_datasets.shards.diagnostics import Cuts
from spikesim_datasets.shards.schema import threshold_name
from spikesim_datasets.shards.writer import Compression
from spikesim_datasets.sources import Split


@dataclass(frozen=True)
class Recipe:
    """What a dataset is made with. Equal recipes and equal clips give equal arrays, bit for bit.

    Args:
        cameras: The sensors, one for each threshold.
        interpolation: Name of an interpolator of `interpolation.make_interpolator`.
        weights: Its weights, where it has any.
        device: Where it runs.
        tile: Side of the tiles it works in, pixels; None takes frames whole.
        precision: What a network's convolutions compute in.
        plan: The exposure.
        downscale, linear_light: See `Optics`.
        cuts: Whether to keep or skip windows across a scene cut.
        sharp: Ground truth to keep; None means the middle frame for training and the sequence for test clips.
        seed: Seed of all noise.
        shard_samples: Most samples in a shard.
        compression: Filter of the shards' images; `gzip` and `none` are read by any HDF5 library.

    Raises:
        InvalidValueError: A value is meaningless, or two cameras have one threshold.
    """

    cameras: tuple[SpikeCamera, ...]
    interpolation: str = "flow"
    weights: str | None = None
    device: str = "auto"
    tile: int | None = None
    precision: str = "float32"
    plan: ExposurePlan = field(default_factory=ExposurePlan)
    downscale: Downscale = "bilinear"
    linear_light: bool = False
    cuts: Cuts = "keep"
    sharp: Sharp | None = None
    seed: int = 0
    shard_samples: int = 8
    compression: Compression = "zstd"

    def __post_init__(self) -> None:
        thresholds = [threshold_name(camera.v_th) for camera in self.cameras]
        if not thresholds:
            raise InvalidValueError("a dataset needs at least one threshold v_th")
        for v_th in thresholds:
            if thresholds.count(v_th) > 1:
                raise InvalidValueError(f"threshold {v_th} is given more than once; give each once")
        if self.shard_samples < 1:
            raise InvalidValueError(f"a shard holds at least one sample, got shard_samples={self.shard_samples}")
        if self.compression not in get_args(Compression):
            raise InvalidValueError(
                f"compression must be one of {', '.join(get_args(Compression))}, got {self.compression!r}"
            )
        if self.downscale == "none":
            raise InvalidValueError(
                "the spikes of a dataset have a quarter of the size; downscale must be bilinear or area"
            )
        if self.cuts not in get_args(Cuts):
            raise InvalidValueError(f"cuts must be one of {', '.join(get_args(Cuts))}, got {self.cuts!r}")
        if self.sharp is not None:
            self.plan.sharp_frames(self.sharp)
        self.optics()
        self.interpolator()

    def optics(self) -> Optics:
        """The optics this recipe names."""
        return Optics(self.downscale, self.linear_light)

    def interpolator(self) -> Interpolator:
        """The interpolator this recipe names."""
        return make_interpolator(self.interpolation, self.weights, self.device, self.tile, self.precision)

    def sharp_of(self, split: Split) -> Sharp:
        """The ground truth kept for clips of a split."""
        return self.sharp or ("sequence" if split == "test" else "middle")

    def choices(self) -> dict[str, Any]:
        """Everything that decides what the arrays hold, as JSON values: two datasets of equal choices can be mixed."""
        return {
            "plan": asdict(self.plan),
            "cameras": [json.loads(camera.to_json()) for camera in self.cameras],
            "interpolation": self.interpolator().describe(),
            "downscale": self.downscale,
            "linear_light": self.linear_light,
            "cuts": self.cuts,
            "sharp": self.sharp or "middle for train, sequence for test",
            "seed": self.seed,
            "shard_samples": self.shard_samples,
            "compression": self.compression,
        }


def make_recipe(v_th: Sequence[float] = (1.0,), *, preset: str = "ssdm", **choices: Any) -> Recipe:
    """The recipe with a preset's camera at each threshold.

    Args:
        v_th: Thresholds; each gets a stream of its own in every sample.
        preset: Camera preset the thresholds are set on.
        **choices: Further fields of `Recipe`.

    Raises:
        InvalidValueError: The preset or a choice is unknown, or a value is meaningless.
    """
    unknown = set(choices) - {field.name for field in fields(Recipe)} | {"cameras"} & set(choices)
    if unknown:
        raise InvalidValueError(
            f"a recipe has no choice {', '.join(sorted(unknown))}; "
            f"it has {', '.join(f.name for f in fields(Recipe)[1:])}"
        )
    return Recipe(tuple(SpikeCamera.preset(preset, v_th=threshold) for threshold in v_th), **choices)


def provenance() -> dict[str, str]:
    """Versions of what computes: recorded beside the choices, not compared."""
    packages = ("numpy", "numba", "opencv-python-headless", "h5py")
    return {"spikesim": __version__, "python": platform.python_version(), **{name: version(name) for name in packages}}
