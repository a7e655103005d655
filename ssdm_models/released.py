"""The weights that a network's authors released, in a network of ours."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from spikesim.checks import require_choice, require_path
from spikesim.errors import InputFileError
from spikesim_datasets.torch_tools.state_dicts import Slot, Weights, fill, origin_of, read_tensors
from ssdm_models.stages import STAGES
from ssdm_models.stages.stage_spec import ReleasedFile, StageSpec


def load_released(path_or_state_dict: Weights, kind: str) -> nn.Module:
    """Load a network with the weights its authors released.

    The released LDN was trained on BGR. Its weights are turned around once, here, so that the network takes and gives
    RGB as every other.

    Args:
        path_or_state_dict: The file (tensors alone are read, no code is run), or what it holds by name.
        kind: That of a stage's released file: `ldn` for the student `LDN`, `bsn` for `BSN`, `edsr` for `EDSR`.

    Returns:
        The network, float32, ready to be evaluated or trained on.

    Raises:
        InputFileError: The file is missing, damaged or none of tensors alone, or the tensors are not those of this
            network.
        InvalidValueError: There is no such kind.
    """
    spec, released = _find(kind)
    if not isinstance(path_or_state_dict, Mapping):
        require_path(path_or_state_dict, "path_or_state_dict")
    tensors = read_tensors(path_or_state_dict)
    with torch.device("meta"):
        network = spec.network()
    fill(network, slots(network, kind), tensors, path_or_state_dict)
    if released.fix is not None:
        released.fix(network)
    return network.eval()


def slots(network: nn.Module, kind: str) -> list[Slot]:
    """What the released files of a kind call the parameters and buffers of a network."""
    _, release = _find(kind)
    found = []
    for name, value in network.state_dict().items():
        released = name
        for ours, theirs in release.names.items():
            released, replaced = re.subn(rf"^{ours}(?=\.)", theirs, name)
            if replaced:
                break
        found.append(Slot(name, (released,), tuple(value.shape)))
    return found


def recognise_stage(weights: Weights, stages: Sequence[str]) -> StageSpec:
    """Of which of some stages a released file is: the one whose names it has most of.

    Raises:
        InputFileError: The file is missing or damaged, or the released files of none of the stages are known.
    """
    candidates = [spec for spec in map(STAGES.find, stages) if spec.released is not None]
    if not candidates:
        raise InputFileError(
            f"{origin_of(weights)} is no checkpoint of spikesim, and files that others released of the stage "
            f"{' or '.join(stages)} are not known; give one that was trained here"
        )
    if len(candidates) == 1:
        return candidates[0]
    held = read_tensors(weights).keys()
    return max(candidates, key=lambda spec: len(_released_names(spec) & held))


def _released_names(spec: StageSpec) -> set[str]:
    assert spec.released is not None
    with torch.device("meta"):
        return {name for slot in slots(spec.network(), spec.released.kind) for name in slot.released}


def _find(kind: str) -> tuple[StageSpec, ReleasedFile]:
    known = {spec.released.kind: (spec, spec.released) for spec in STAGES.values() if spec.released is not None}
    return known[require_choice(kind, "kind", known)]
