"""Trained students, whoever trained them."""

import os
from pathlib import Path
from typing import NamedTuple

from spikesim.errors import InputFileError
from spikesim.formats.contents import reading
from ssdm_models.checkpoints import load, load_released, read_card
from ssdm_models.ldn import LDN

_RELEASED_V_TH = 1.0


class Student(NamedTuple):
    """An LDN and the thresholds of the spikes it was trained on, as far as they are known."""

    network: LDN
    v_th: tuple[float, ...]


def load_student(path: str | os.PathLike[str]) -> Student:
    """Load an LDN, from a checkpoint of ours or from the file that the authors of S-SDM released.

    Args:
        path: The file; what it is shows in its first bytes, whatever its name.

    Raises:
        InputFileError: It is missing, damaged, or holds another network.
    """
    if Path(path).is_dir():
        raise InputFileError(
            f"{path} is a folder; give the file of the LDN in it, such as {Path(path, 'ldn')}.safetensors"
        )
    with reading(path), Path(path).open("rb") as file:
        beginning = file.read(9)
    if beginning[8:] == b"{":  # safetensors: the length of the header, then JSON
        network, v_th = load(path, "ldn"), read_card(path).v_th
    else:
        network, v_th = load_released(path, "ldn"), (_RELEASED_V_TH,)
    assert isinstance(network, LDN)
    return Student(network, v_th)
