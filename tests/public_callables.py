"""The public callables of `spikesim`, each with arguments that it takes; and what puts wrong values into such calls.

A callable of the modules and classes named below must be among the calls, with all of its arguments. To add one, add a
line to `calls`. Another package has a module like this one, with `MODULES`, `CLASSES`, `prepare` and `calls`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from inspect import Parameter, getmembers, isclass, isfunction, ismethod, signature
from math import inf, nan
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from docstrings import errors_of

import spikesim
from spikesim import (
    Crop,
    Recording,
    Simulator,
    SpikeCamera,
    SpikeStream,
    SpikeWriter,
    calibration,
    gpu,
    noise,
    push_together,
    read_spikes,
    simulate,
    simulate_cameras,
    simulate_to_file,
    write_spikes,
)
from spikesim.errors import SpikesimError
from spikesim.gpu.devices import find_device
from spikesim.interchange import require_multiple_of_8

WRONG: list[Any] = [
    *(object(), int, "8", "", "\0", b"8", 2.5, -1, 0, True, None, nan, inf, -inf, 1j, [], [[1], [1, 2]], (), {}),
    *("\ud800", "x" * 300),
    *(np.float32(nan), np.int64(-1), np.complex64(1), np.array([1, 2]), np.array("a"), np.array(None), slice(None)),
]
"""What is put in the place of every argument."""

MODULES: tuple[ModuleType, ...] = (spikesim, calibration, gpu, noise)
"""Modules whose public callables must be among the calls: those of `__all__`, or else those defined there."""

CLASSES: tuple[type, ...] = (Crop, SpikeCamera, SpikeStream, SpikeWriter, Simulator, gpu.Simulator)
"""Classes whose public methods must be among the calls."""

CAMERA = SpikeCamera.preset("realistic")
LIGHT = np.full((3, 4, 6), 0.5, np.float32)
STREAM = SpikeStream.from_dense(np.random.default_rng(5).integers(0, 2, (12, 4, 6), dtype=np.uint8), CAMERA)
DARK = SpikeStream.from_dense(np.arange(1000 * 24).reshape(1000, 4, 6) % 101 == 0)
FLAT = SpikeStream.from_dense(np.arange(1000 * 24).reshape(1000, 4, 6) % 5 == 0)
FIT = calibration.fit_calibration(DARK, [FLAT])
OPTIONS = {"seed": 1, "key": "a", "charge": np.zeros((4, 6)), "crop": Crop(0, 0, 9, 9), "clip": False}


@dataclass(frozen=True)
class Fresh:
    """An argument that is made for every call, because a call uses it up."""

    make: Callable[[], Any]


class Call:
    """A callable with arguments that it takes; the first of a method is `self`, which stays as it is."""

    def __init__(self, function: Callable[..., Any], /, **arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    @property
    def name(self) -> str:
        return name_of(self.function)

    def run(self, **changes: Any) -> None:
        """Call it, and use what it gives as far as that may fail."""
        given = self.arguments | changes
        given = {name: value.make() if isinstance(value, Fresh) else value for name, value in given.items()}
        receiver = (given.pop("self"),) if "self" in given else ()
        result = self.function(*receiver, **given)
        if hasattr(result, "__enter__"):
            with result:
                pass
        elif isinstance(result, Iterator):
            deque(result, 0)

    def left_out(self) -> list[str]:
        """Parameters of the callable that the arguments do not give."""
        variable = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        parameters = signature(self.function).parameters.values()
        return [p.name for p in parameters if p.kind not in variable and p.name not in self.arguments]


def prepare(folder: Path) -> None:
    """The files that the calls read, in the folder that they are made in."""
    for extension in (".dat", ".npz", ".npy", ".h5"):
        write_spikes(folder / f"stream{extension}", STREAM)
    calibration.write_calibration(folder / "maps.npz", FIT)
    CAMERA.save(folder / "camera.toml")


def calls() -> list[Call]:
    """One call of every public callable; some have several, for arguments that exclude each other."""
    return [
        Call(Crop, top=0, left=1, sensor_height=8, sensor_width=9),
        Call(Crop.check, self=Crop(0, 0, 9, 9), height=4, width=6),
        Call(Crop.first_pixels, self=Crop(0, 0, 9, 9), height=4),
        Call(Recording, shape=(3, 4, 6), spikes=5),
        Call(
            SpikeCamera,
            v_th=2,
            gain=1.5,
            reset="zero",
            start=0.5,
            tie_fires=False,
            noise=(),
            readout_hz=1e4,
            sub_ticks=3,
        ),
        Call(SpikeCamera.preset, name="ssdm", v_th=2),
        Call(SpikeCamera.term, self=CAMERA, kind=noise.ShotNoise),
        Call(SpikeCamera.save, self=CAMERA, path="out.toml"),
        Call(SpikeCamera.load, path="camera.toml"),
        Call(SpikeCamera.load, path="maps.npz"),
        Call(SpikeCamera.to_json, self=CAMERA),
        Call(SpikeCamera.from_json, text=CAMERA.to_json()),
        Call(SpikeStream, packed=STREAM.packed, width=6, camera=CAMERA),
        Call(SpikeStream.from_dense, array=STREAM.dense(), camera=CAMERA),
        Call(SpikeStream.__getitem__, self=STREAM, readouts=slice(1, 3)),
        Call(SpikeStream.counts, self=STREAM, start=1, stop=3),
        Call(SpikeStream.dense, self=STREAM, dtype=np.float32),
        Call(SpikeStream.mirrored, self=STREAM),
        Call(Simulator, camera=CAMERA, height=4, width=6, **OPTIONS),
        Call(Simulator.push, self=Simulator(CAMERA, 4, 6), light=LIGHT),
        Call(push_together, simulators=[Simulator(CAMERA, 4, 6), Simulator(CAMERA, 4, 6)], light=LIGHT),
        Call(simulate, light=LIGHT, camera=CAMERA, device="cpu", **OPTIONS),
        Call(simulate, light=Fresh(lambda: iter(LIGHT)), camera=CAMERA, device="auto", **OPTIONS),
        Call(
            simulate_cameras,
            light=LIGHT,
            cameras=[CAMERA, CAMERA],
            keys=["a", "b"],
            **{name: value for name, value in OPTIONS.items() if name != "key"},
        ),
        Call(
            simulate_to_file,
            **{"light": LIGHT, "camera": CAMERA, "path": "out.dat", "device": None, **OPTIONS},
            flip=False,
            header_columns=2,
            describe=True,
        ),
        Call(spikesim.tfp, stream=STREAM, centre=5, window=3),
        Call(spikesim.tfi, stream=STREAM, centre=5, window=3),
        Call(spikesim.tfp_video, stream=STREAM, window=3, out=np.empty((10, 4, 6), np.float32)),
        Call(spikesim.tfi_video, stream=STREAM, start=1, stop=3, out=np.empty((2, 4, 6), np.float32)),
        Call(spikesim.outlying_pixels, stream=STREAM),
        Call(spikesim.as_light, rate=np.zeros((4, 6), np.float32), camera=spikesim.SpikeCamera()),
        Call(spikesim.OutlyingPixel, row=1, column=2, spikes=3, neighbours=4.0),
        Call(spikesim.Plasticity, u0=0.2, increment=0.1, depression=2, facilitation=5.5),
        Call(spikesim.tfstp, stream=STREAM, centre=5, plasticity=spikesim.Plasticity()),
        Call(
            spikesim.tfstp_video,
            stream=STREAM,
            start=1,
            stop=3,
            plasticity=spikesim.Plasticity(),
            out=np.empty((2, 4, 6), np.float32),
        ),
        Call(spikesim.fractional_counts, stream=STREAM),
        Call(spikesim.thread_limit, threads=2),
        Call(read_spikes, path="stream.dat", height=4, width=6, flip=True, header_columns=0, start=1, stop=3),
        Call(read_spikes, path="stream.npz", height=4, width=6, axes="THW", start=1, stop=3),
        Call(read_spikes, path="stream.npy", height=4, width=6, axes="THW", start=1, stop=3),
        Call(read_spikes, path="stream.h5", height=4, width=6, axes="THW", start=1, stop=3),
        Call(write_spikes, path="out.dat", stream=STREAM, flip=False, header_columns=2, describe=False),
        Call(write_spikes, path="out.npz", stream=STREAM),
        Call(SpikeWriter, path="out.dat", height=4, width=6, camera=CAMERA, flip=True, describe=True),
        Call(SpikeWriter, path="out.h5", height=4, width=6, camera=CAMERA),
        Call(SpikeWriter.append, self=Fresh(lambda: SpikeWriter("out.npz", 4, 6).__enter__()), stream=STREAM),
        Call(spikesim.to_torch, stream=STREAM, device="cpu"),
        Call(spikesim.write_spikecv, folder="spikecv", name="a", stream=STREAM),
        Call(require_multiple_of_8, height=6, width=4),
        Call(spikesim.write_spikezoo, folder="spikezoo", name="a", stream=STREAM, split="train"),
        Call(
            calibration.fit_calibration,
            dark=DARK,
            flats=[FLAT],
            levels=(1.0,),
            dead_time=0.1,
            readout_hz=2e4,
        ),
        Call(
            calibration.calibration_from_matrices,
            nd=np.full((4, 6), 0.1),
            d_light=np.full((4, 6), 5.0),
            lux=335,
            dead_time=1,
        ),
        Call(calibration.write_calibration, path="out.npz", fit=FIT),
        Call(calibration.calibrated, camera=CAMERA, path="maps.npz"),
        Call(gpu.Simulator, camera=CAMERA, height=4, width=6, device="cpu", **OPTIONS),
        Call(gpu.Simulator.push, self=gpu.Simulator(CAMERA, 4, 6, device="cpu"), light=LIGHT),
        Call(gpu.Simulator.push_packed, self=gpu.Simulator(CAMERA, 4, 6, device="cpu"), light=LIGHT),
        Call(gpu.simulate, light=LIGHT, camera=CAMERA, device="cpu", **OPTIONS),
        Call(gpu.packed_spikes, light=LIGHT, camera=CAMERA, device="cpu", **OPTIONS),
        Call(find_device, name="auto"),
        Call(noise.BitErrors, drop=0.1, false=0.1),
        Call(noise.Calibration, path="maps.npz", sha256=None),
        Call(noise.ComparatorNoise, sigma=0.1, in_reset=True),
        Call(noise.DarkCurrent, median=0.1, sigma=0.1, hot_fraction=0.1, distribution="normal"),
        Call(noise.DeadPixels, fraction=0.1),
        Call(noise.DeadTime, readouts=0.1),
        Call(noise.DiffusionNoise, interval=5, amplitude=0.1),
        Call(noise.FrameNoise, sigma=0.1),
        Call(noise.GainPattern, sigma=0.1, shading=0.1),
        Call(noise.InherentSpikes, mean_interval=9, std_interval=2),
        Call(noise.IntervalNoise, dead_time=0.1),
        Call(noise.NoiseTerm),
        Call(noise.ResetNoise, sigma=0.1),
        Call(noise.ShotNoise, full_well_e=100, on_dark=True),
    ]


def name_of(function: Callable[..., Any]) -> str:
    """Where a callable is defined, and what it is called there."""
    return f"{function.__module__}.{function.__qualname__}"


def escaping(call: Call) -> list[str]:
    """Wrong values of single arguments, each with the error that comes out and is not ours, or is one of ours that the
    docstring does not list.
    """
    found, described = [], errors_of(call.function)
    for name in call.arguments:
        for value in WRONG if name != "self" else ():
            if isfunction(call.arguments[name]) and callable(value):
                continue  # a function of the caller's: what it raises is the caller's too
            try:
                call.run(**{name: value})
            except SpikesimError as error:
                names = {kind.__name__ for kind in type(error).__mro__}
                if described is not None and not names & described:
                    found.append(f"{name}={value!r}: {type(error).__name__} is not in the docstring")
            except Exception as error:
                found.append(f"{name}={value!r}: {type(error).__name__}: {error}")
    return found


def public_names(modules: Iterable[ModuleType], classes: Iterable[type]) -> set[str]:
    """The names of all callables of these that must be among the calls."""
    return {name_of(function) for owner in (*modules, *classes) for function in _public(owner)}


def _public(owner: ModuleType | type) -> Iterator[Callable[..., Any]]:
    if isinstance(owner, type):
        yield from (method for name, method in getmembers(owner) if _is_callable(method) and name in _own(owner))
        return
    names = getattr(owner, "__all__", None) or [
        name
        for name, found in vars(owner).items()
        if isfunction(found) and found.__module__ == owner.__name__ and not name.startswith("_")
    ]
    yield from (found for name in names if _is_callable(found := getattr(owner, name)))


def _own(owner: type) -> set[str]:
    return {name for name in vars(owner) if not name.startswith("_")}


def _is_callable(found: object) -> bool:
    """Errors are classes to be caught, not called."""
    return isfunction(found) or ismethod(found) or (isclass(found) and not issubclass(found, BaseException))
