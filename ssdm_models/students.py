"""Trained students, whoever trained them."""

import os
from typing import NamedTuple

from ssdm_models.checkpoints import load_any
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
    network, card = load_any(path, "ldn")
    assert isinstance(network, LDN)
    return Student(network, (_RELEASED_V_TH,) if card is None else card.v_th)
