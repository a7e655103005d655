"""`doctor`: check that the installation works on this machine."""

import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def doctor(as_json: bool) -> None:
    """Check this installation part by part; the exit code is 2 if a required part does not work.

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
    "sensor": _sensor,
    "kernels": _kernels,
    "interpolation": _interpolation,
    "shards": _shards,
    "video": _video,
}

_EXTRAS = {"ssdm": ("torch",), "remote": ("fsspec", "aiohttp", "s3fs")}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
