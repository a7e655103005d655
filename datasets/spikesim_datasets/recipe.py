"""The recipe of a dataset: the choices that decide what its arrays hold, and what made it."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from typing import Any, get_args

from spikesim import SpikeCamera, __version__
from spikesim.checks import require_choice, require_flag, require_instance, require_list, require_mapping, require_whole
from spikesim.errors import InvalidValueError
from spikesim.noise import Calibration
from spikesim_datasets.camera_choice import chosen_camera
from spikesim_datasets.exposure import ExposurePlan, Sharp
from spikesim_datasets.interpolation import InterpolatorSpec
from spikesim_datasets.optics import OPTICS_CHOICES, Optics
from spikesim_datasets.response import GAMMA
from spikesim_datasets.rig import Rig
from spikesim_datasets.shards.diagnostics import Cuts
from spikesim_datasets.shards.fields import ALIGNMENT, FLOW, FLOW_EXACT, LIGHT, MISALIGNMENT
from spikesim_datasets.shards.schema import threshold_name
from spikesim_datasets.shards.writer import Compression
from spikesim_datasets.sources import Split

DEFAULT_THRESHOLDS = (1.0,)
"""Of presets; the camera of a file has its own."""

_SHARP_BY_SPLIT = "middle for train, sequence for test"

_MOST_READOUTS = 1 << 20  # of an exposure that a file describes: what it keeps is listed as soon as it is made


@dataclass(frozen=True)
class Recipe:
    """What a dataset is made with. Equal recipes and equal clips give equal arrays, bit for bit.

    Args:
        cameras: The sensors, one for each threshold.
        interpolation: What makes the readouts between frames.
        plan: The exposure.
        optics: Turns frames into light and blur.
        cuts: Whether to keep or skip windows across a scene cut.
        sharp: Ground truth to keep; None means the middle frame for training and the sequence for test clips.
        seed: Seed of all noise.
        shard_samples: Most samples in a shard.
        compression: Filter of the shards' images; `gzip` and `none` are read by any HDF5 library.
        light: Whether to keep the light that the sensors see, the field `light`.
        flow: Whether to keep the optical flow from each sharp frame to the next: exact of clips that are rendered, of
            others what an interpolator that follows motion estimates.
        misalign: What is left between the two cameras: a `Rig`, or what `Rig.of` makes one of. What is drawn is kept as
            the fields `alignment` and `misalignment`. None makes pairs that are aligned.

    Raises:
        InvalidValueError: A value is meaningless, or two cameras have one threshold.
    """

    cameras: tuple[SpikeCamera, ...]
    interpolation: InterpolatorSpec = InterpolatorSpec()
    plan: ExposurePlan = ExposurePlan()
    optics: Optics = Optics()
    cuts: Cuts = "keep"
    sharp: Sharp | None = None
    seed: int = 0
    shard_samples: int = 8
    compression: Compression = "zstd"
    light: bool = False
    flow: bool = False
    misalign: Rig | None = None

    def __post_init__(self) -> None:
        for name, kind in (("interpolation", InterpolatorSpec), ("plan", ExposurePlan), ("optics", Optics)):
            require_instance(getattr(self, name), name, kind)
        self._set("cameras", tuple(require_list(self.cameras, "cameras", "cameras")))
        for camera in self.cameras:
            require_instance(camera, "each of cameras", SpikeCamera)
        thresholds = [threshold_name(camera.v_th) for camera in self.cameras]
        if not thresholds:
            raise InvalidValueError("a dataset needs at least one threshold v_th")
        for v_th in thresholds:
            if thresholds.count(v_th) > 1:
                raise InvalidValueError(f"threshold {v_th} is given more than once; give each once")
        self._set("seed", require_whole(self.seed, "seed", 0, 2**64 - 1))
        self._set("shard_samples", require_whole(self.shard_samples, "shard_samples", 1, unit="samples in a shard"))
        require_choice(self.compression, "compression", get_args(Compression))
        self._set("light", require_flag(self.light, "light"))
        require_choice(self.cuts, "cuts", get_args(Cuts))
        if self.sharp is not None:
            self.plan.sharp_frames(self.sharp)
        self._set("flow", require_flag(self.flow, "flow"))
        if self.misalign is not None:
            self._set("misalign", Rig.of(self.misalign))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def resolve(self) -> "Recipe":
        """The same recipe with all pinned that depends on the machine; see `InterpolatorSpec.resolve`."""
        return replace(self, interpolation=self.interpolation.resolve())

    @property
    def extra(self) -> tuple[str, ...]:
        """The optional fields that its samples have."""
        wanted = {
            LIGHT: self.light,
            FLOW: self.flow,
            FLOW_EXACT: self.flow,
            ALIGNMENT: self.misalign is not None,
            MISALIGNMENT: self.misalign is not None,
        }
        return tuple(field.name for field, kept in wanted.items() if kept)

    @property
    def watched(self) -> ExposurePlan:
        """The exposures with all readouts that the spike cameras may see, of which streams are a part: where their time
        may be ahead or behind, they start early and stop late, so that an offset shifts streams and changes no bit."""
        if self.misalign is None:
            return self.plan
        return replace(self.plan, padding=self.plan.padding + self.misalign.offset)

    def sharp_of(self, split: Split) -> Sharp:
        """The ground truth kept for clips of a split.

        Args:
            split: `train` or `test`.

        Raises:
            InvalidValueError: It is no text.
        """
        require_instance(split, "split", str)
        return self.sharp or ("sequence" if split == "test" else "middle")

    @classmethod
    def from_choices(cls, choices: Mapping[str, Any], calibrations: Mapping[str, str] | None = None) -> "Recipe":
        """The recipe that gave these `choices`, as far as this installation can.

        Whether it gives the same ones here, with its version of the interpolator, their comparison tells.

        Args:
            choices: As `choices` gives them.
            calibrations: Where the calibrations of its cameras lie, as `calibrations` tells.

        Raises:
            InvalidValueError: They are no choices, of another version, of an interpolator that is missing here, or with
                a calibration of which is not said where it lies.
        """
        given = dict(require_mapping(choices, "choices", "JSON values"))
        places = require_mapping({} if calibrations is None else calibrations, "calibrations", "paths by hash")
        try:
            plan = {name: require_whole(value, name, 0, _MOST_READOUTS) for name, value in given.pop("plan").items()}
            cameras = [_camera_of(camera, places) for camera in given.pop("cameras")]
            interpolation = InterpolatorSpec.from_description(given.pop("interpolation"))
            optics = Optics.of_choices(given)
            for name in OPTICS_CHOICES:
                given.pop(name, None)
            if given["sharp"] == _SHARP_BY_SPLIT:
                del given["sharp"]
            return cls(tuple(cameras), interpolation, ExposurePlan(**plan), optics, **given)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            if isinstance(error, InvalidValueError):
                raise
            raise InvalidValueError(f"these are not the choices of a recipe of this version ({error!r})") from error

    def choices(self) -> dict[str, Any]:
        """Everything that decides what the arrays hold, as JSON values: two datasets of equal choices can be mixed."""
        return {
            "plan": asdict(self.plan),
            "cameras": [_choice_of(camera) for camera in self.cameras],
            "interpolation": self.interpolation.describe(),
            **self.optics.choices(),
            "cuts": self.cuts,
            "sharp": self.sharp or _SHARP_BY_SPLIT,
            "seed": self.seed,
            "shard_samples": self.shard_samples,
            "compression": self.compression,
            # Not said where there is none: so did versions before there was any.
            **({"light": True} if self.light else {}),
            **({"flow": True} if self.flow else {}),
            **({} if self.misalign is None else {"misalign": self.misalign.record()}),
        }

    def calibrations(self) -> dict[str, str]:
        """Where the calibrations of the cameras lie on this machine, by hash: recorded beside the choices, in which a
        calibration is the same wherever it lies."""
        found = (camera.term(Calibration) for camera in self.cameras)
        return {str(each.sha256): os.path.abspath(each.path) for each in found if each is not None}  # noqa: PTH100


def make_recipe(
    v_th: Sequence[float] | None = None,
    *,
    preset: str | None = None,
    camera: SpikeCamera | str | os.PathLike[str] | None = None,
    interpolation: InterpolatorSpec | str = Recipe.interpolation,
    **choices: Any,
) -> Recipe:
    """The recipe with one camera at each of several thresholds.

    Args:
        v_th: Thresholds; each gets a stream of its own in every sample. None takes that of `camera`, of presets 1.
        preset: Camera preset the thresholds are set on; None means `ssdm`, where no `camera` is given.
        camera: The camera that they are set on instead, or a file for `SpikeCamera.load`.
        interpolation: What makes the readouts between frames; a name stands for its spec without options.
        **choices: Further fields of `Recipe`, or of `Optics` in place of `optics`; `linear_light=True` stands for the
            response `gamma2.2`.

    Raises:
        InvalidValueError: The preset or a choice is unknown, a value is meaningless, or preset and camera are given.
        InputFileError: The file of the camera is missing or describes none.
    """
    if require_flag(choices.pop("linear_light", False), "linear_light"):
        if "response" in choices:
            raise InvalidValueError("linear_light stands for the response gamma2.2; give one of them")
        choices["response"] = GAMMA
    optics = {name: choices.pop(name) for name in _names(Optics) & choices.keys()}
    if optics:
        whole = require_instance(choices.get("optics", Recipe.optics), "optics", Optics)
        choices["optics"] = replace(whole, **optics)
    if unknown := choices.keys() - _names(Recipe).keys() | {"cameras"} & choices.keys():
        raise InvalidValueError(
            f"a recipe has no choice {', '.join(sorted(unknown))}; "
            f"it has {', '.join(name for name in [*_names(Recipe), *_names(Optics)] if name != 'cameras')}"
        )
    sensor = chosen_camera(preset, camera)
    if v_th is None:
        v_th = DEFAULT_THRESHOLDS if camera is None else (sensor.v_th,)
    thresholds: Sequence[Any] = v_th if isinstance(v_th, Sequence) and not isinstance(v_th, str | bytes) else (v_th,)
    cameras = tuple(replace(sensor, v_th=threshold) for threshold in thresholds)
    return Recipe(cameras, InterpolatorSpec.of(interpolation), **choices)


def _choice_of(camera: SpikeCamera) -> dict[str, Any]:
    """A camera as choices say it: a calibration by its hash alone."""
    record: dict[str, Any] = json.loads(camera.to_json())
    for term in record["noise"]:
        if term["term"] == Calibration.__name__:
            del term["path"]
    return record


def _camera_of(choice: Mapping[str, Any], places: Mapping[str, str]) -> SpikeCamera:
    """The camera that `_choice_of` says, with its calibration where it lies."""
    noise = [dict(term) for term in choice["noise"]]
    for term in noise:
        if term["term"] == Calibration.__name__:
            if (path := places.get(term["sha256"])) is None:
                raise InvalidValueError(f"it is not recorded where the calibration {term['sha256']} lies")
            term["path"] = path
    return SpikeCamera.from_json(json.dumps({**choice, "noise": noise}))


def _names(kind: type[Recipe | Optics]) -> dict[str, None]:
    """The fields of a dataclass, in their order."""
    return dict.fromkeys(field.name for field in fields(kind))


def provenance() -> dict[str, str]:
    """Versions of what computes: recorded beside the choices, not compared."""
    packages = ("numpy", "numba", "opencv-python-headless", "h5py")
    return {"spikesim": __version__, "python": platform.python_version(), **{name: version(name) for name in packages}}
