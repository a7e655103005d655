"""Where the released weights of a network are found, and what is known of them; nothing is ever downloaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spikesim.errors import InputFileError
from spikesim.input_files import require_file

FOLDER_VARIABLE = "SPIKESIM_WEIGHTS"
"""Environment variable that names a folder of weights."""

KNOWN_SHA256: dict[str, str] = {}
"""SHA-256 of released files whose origin was checked, and what each is; grows by a line a file."""


class UnknownWeightsWarning(UserWarning):
    """The hash of a weights file is in no table: that it is what its authors published is not checked."""


@dataclass(frozen=True)
class Release:
    """How the authors of a network publish its weights.

    Args:
        network: Its name.
        file_name: Name of the file as published.
        source: Where it is published.
        licence: What the weights may be used for.
        module: What loads them, by its function `load_released`. Named and not imported: it needs torch.
    """

    network: str
    file_name: str
    source: str
    licence: str
    module: str


RELEASES = {
    "rife": Release(
        "RIFE",
        "flownet.pkl",
        "https://github.com/hzwer/Practical-RIFE (v4.25, v4.26 or v4.6)",
        "MIT",
        "spikesim_datasets.interpolation.networks.rife_release",
    ),
    "xvfi": Release(
        "XVFI",
        "XVFInet_X4K1000FPS_exp1_latest.pt",
        "https://github.com/JihyongOh/XVFI",
        "research and education only",
        "spikesim_datasets.interpolation.networks.xvfi_release",
    ),
}


def find_weights(
    name: str, weights: str | os.PathLike[str] | None = None, environment: Mapping[str, str] = os.environ
) -> Path:
    """Find the weights file of a network.

    Args:
        name: `rife` or `xvfi`.
        weights: A file, a folder that holds it under its published name, or a name to look up; None looks for the
            published name. Names are looked up in the folder `$SPIKESIM_WEIGHTS`, then in `spikesim` in the user's
            cache folder.
        environment: Environment variables.

    Raises:
        InputFileError: There is no such file; the message says where its authors publish it, and its licence. Or what
            has the name is no regular file.
    """
    release = RELEASES[name]
    wanted = Path(release.file_name if weights is None else weights).expanduser()
    if weights is not None and wanted.is_dir():
        places = [wanted / release.file_name]
    elif weights is not None and (wanted.name != os.fspath(weights) or wanted.exists()):
        places = [wanted]
    else:
        places = [folder / wanted for folder in _folders(environment)]
    for place in places:
        if place.exists():
            require_file(place)
            return place
    raise InputFileError(
        f"no weights of {release.network}: looked for {' and '.join(map(str, places))}. Download {release.file_name} "
        f"from {release.source} (licence: {release.licence}) and give its path as weights, or put it into the folder "
        f"${FOLDER_VARIABLE}; the interpolator 'flow' needs no weights"
    )


def _folders(environment: Mapping[str, str]) -> list[Path]:
    chosen = environment.get(FOLDER_VARIABLE)
    cache = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [*([Path(chosen).expanduser()] if chosen else []), Path(cache) / "spikesim"]
