"""`doctor`: check that the installation works on this machine."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter, process_time

import click

from spikesim_cli.json_option import JsonDocument, json_option

_TIMED = 0.5  # seconds
_SENSOR_TIMES = 100  # the least of the ratios that were measured was 240, between other work
_DISK_MB, _DISK_SPEED = 64, 60

_KEYS = {
    "[].part": "part of the installation",
    "[].state": "ok, absent (it need not be there), slow, or FAILS",
    "[].detail": "what was found, or what to do about it",
}


@click.command()
@json_option(JsonDocument(_KEYS))
def doctor(as_json: bool) -> None:
    """Check this installation part by part, and say what to do about what is wrong; the exit code is 2 if a required
    part does not work.

    \b
    Example:
      spikesim doctor
    """
    from spikesim.errors import SpikesimError
    from spikesim_cli.console import print_json, print_table

    rows: list[tuple[str, ...]] = []
    for name, check in _CHECKS.items():
        try:
            rows.append((name, "ok", check()))
        except _AbsentError as error:
            rows.append((name, "absent", str(error)))
        except _SlowError as error:
            rows.append((name, "slow", str(error)))
        except Exception as error:  # any fault of a part is what this command reports
            rows.append((name, "FAILS", f"{type(error).__name__}: {error}"))
    for extra, packages in _EXTRAS.items():
        missing = [package for package in packages if _version(package) is None]
        found = ", ".join(f"{package} {_version(package)}" for package in packages if package not in missing)
        rows.append(
            (
                f"extra [{extra}]",
                "absent" if missing else "ok",
                f"pip install 'spikesim[{extra}]'" if missing else found,
            )
        )
    if as_json:
        print_json([{"part": part, "state": state, "detail": detail} for part, state, detail in rows])
    else:
        print_table(("part", "state", "detail"), rows)
    failing = [part for part, state, _ in rows if state == "FAILS"]
    if failing:
        raise SpikesimError(f"not working: {', '.join(failing)}")


class _AbsentError(Exception):
    """A part that need not be there, and is not."""


class _SlowError(Exception):
    """A part that works, but not as fast as it should."""


def _python() -> str:
    return f"{platform.python_version()} at {sys.executable}"


def _packages() -> str:
    return ", ".join(f"{package} {version(package)}" for package in ("numpy", "numba", "h5py", "pillow", "av"))


def _machine() -> str:
    from spikesim.threads import available_cores

    return (
        f"{platform.machine()}, {available_cores()} cores, {shutil.disk_usage(Path.cwd()).free / 1e9:.0f} GB free here"
    )


def _sensor() -> str:
    import numpy as np

    from spikesim import SpikeCamera, reference, simulate

    light = np.random.default_rng(0).random((40, 12, 20), dtype=np.float32)
    camera = SpikeCamera.preset("ssdm")
    if not np.array_equal(simulate(light, camera).dense(), reference.simulate(light, camera)):
        raise RuntimeError("the compiled sensor differs from its reference on this machine")
    return "the compiled sensor agrees with its reference, bit for bit"


def _speed() -> str:
    """How fast the sensor is on one core: by itself, and as a multiple of its reference, which no machine changes."""
    import numpy as np

    from spikesim import SpikeCamera, reference, simulate, thread_limit

    light = np.random.default_rng(0).random((97, 180, 320), dtype=np.float32)
    camera = SpikeCamera.preset("ssdm")
    simulate(light[:2], camera)  # compiled before it is timed
    with thread_limit(1):
        rate = _rate(lambda: simulate(light, camera), len(light))
    times = rate / _rate(lambda: reference.simulate(light[:8], camera), 8)
    said = f"{rate:,.0f} readouts of 320×180 pixels a second on one core, {times:.0f} times plain numpy"
    if times < _SENSOR_TIMES:
        raise _SlowError(
            f"{said}, where {_SENSOR_TIMES} or more are right; remove the folder of compiled kernels that is named "
            "above, and see whether NUMBA_DISABLE_JIT or other variables of numba are set"
        )
    return f"{said}; {_SENSOR_TIMES} or more are right"


def _rate(work: Callable[[], object], readouts: int) -> float:
    """Readouts a second of this process's own time, in half a second of it."""
    start, done = process_time(), 0
    while (spent := process_time() - start) < _TIMED:
        work()
        done += readouts
    return done / spent


def _disk() -> str:
    """How fast the disk here writes, whole to the device."""
    with tempfile.NamedTemporaryFile(dir=Path.cwd()) as file:
        start = perf_counter()
        for _ in range(_DISK_MB):
            file.write(os.urandom(1_000_000))
        file.flush()
        os.fsync(file.fileno())
        speed = _DISK_MB / (perf_counter() - start)
    said = f"writes {speed:.0f} MB a second here"
    if speed < _DISK_SPEED:
        raise _SlowError(f"{said}, and a build on many cores makes up to {_DISK_SPEED}; write datasets to a local disk")
    return said


def _gpu() -> str:
    if _version("torch") is None:
        raise _AbsentError("torch is not installed, everything runs on the processor; pip install 'spikesim[ssdm]'")
    from spikesim.gpu.devices import gpu_names

    if not (names := gpu_names()):
        raise _AbsentError("torch finds no CUDA device, everything runs on the processor")
    return ", ".join(names)


def _deblurring() -> str:
    import numpy as np

    from spikesim import SpikeStream
    from spikesim.files import checksum
    from ssdm_models import load_deblurrer
    from ssdm_models.shipped import SHIPPED

    deblurrer = load_deblurrer()
    stream = SpikeStream.from_dense(np.zeros((137, 16, 16), np.uint8))
    next(deblurrer.frames(np.zeros((64, 64, 3), np.uint8), stream, [68], (20, 117)))
    return f"the network in the box, SHA-256 {checksum(SHIPPED)[:16]}, computed by {deblurrer.engine}"


def _weights() -> str:
    """Weights of other networks, where they are looked for."""
    from spikesim.errors import InputFileError
    from spikesim.files import checksum
    from spikesim_datasets.interpolation.networks.weights import FOLDER_VARIABLE, RELEASES, find_weights

    found = []
    for name, release in RELEASES.items():
        with suppress(InputFileError):
            path = find_weights(name)
            found.append(f"{release.network} {path}, SHA-256 {checksum(path)[:16]}")
    if not found:
        names = " and ".join(release.file_name for release in RELEASES.values())
        raise _AbsentError(f"none of RIFE and XVFI; {names} would be found in the folder ${FOLDER_VARIABLE}")
    return "; ".join(found)


def _kernels() -> str:
    from spikesim.kernels import bits
    from spikesim.kernels.compile import cache_folder

    folder = cache_folder(bits.pack)
    if folder is None:
        return "compiled anew by every command, for no folder can be written to keep them; NUMBA_CACHE_DIR names one"
    return f"kept in {folder}, {shutil.disk_usage(folder).free / 1e9:.0f} GB free there"


def _interpolation() -> str:
    import cv2
    import numpy as np

    from spikesim_datasets.interpolation import make_interpolator

    frame = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    next(iter(make_interpolator("flow").between(frame, frame, [0.5])))
    return f"flow with OpenCV {cv2.__version__}"


def _shards() -> str:
    import h5py
    import hdf5plugin

    if not h5py.h5z.filter_avail(hdf5plugin.Zstd.filter_id):
        raise RuntimeError("HDF5 does not find the Zstd filter of hdf5plugin")
    return f"HDF5 {h5py.version.hdf5_version} with Zstd"


def _video() -> str:
    from spikesim_datasets.videos import find_encoder

    return f"{find_encoder()} reads video and writes H.264"


_CHECKS: dict[str, Callable[[], str]] = {
    "python": _python,
    "packages": _packages,
    "machine": _machine,
    "disk": _disk,
    "sensor": _sensor,
    "kernels": _kernels,
    "speed": _speed,
    "interpolation": _interpolation,
    "shards": _shards,
    "video": _video,
    "deblurring": _deblurring,
    "GPU": _gpu,
    "weights": _weights,
}

_EXTRAS = {
    "ssdm": ("torch",),
    "report": ("matplotlib", "jinja2", "tensorboard"),
    "remote": ("fsspec", "aiohttp", "s3fs"),
    "cluster": ("distributed",),
    "rerun": ("rerun-sdk",),
}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
