"""Checkpoints: the weights of one network as safetensors, with a card that says what they are.

The card is JSON in the metadata of the safetensors file itself, not beside it: one file is written and renamed, so
weights and card can neither be parted nor come from two different moments.
"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

import spikesim
from spikesim.checks import (
    plain_number,
    require_choice,
    require_flag,
    require_instance,
    require_list,
    require_number,
    require_path,
    require_whole,
)
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import atomic_path
from spikesim_datasets.torch_tools.state_dicts import Slot, fill
from ssdm_models.checkpoint_file import CARD, CHECKSUM, FORMAT, Bytes, card_of, checksum, damaged, is_ours, opened
from ssdm_models.old_names import renamed
from ssdm_models.released import load_released, recognise_stage
from ssdm_models.stages import STAGES
from ssdm_models.stages.stage_spec import StageSpec
from ssdm_models.tensor_checks import require_thresholds

__all__ = ["Card", "Loaded", "load", "load_any", "load_released", "read_card", "save"]


@dataclass(frozen=True)
class Card:
    """What the weights in a checkpoint are, and where they are from.

    Args:
        architecture: Name of the network's class.
        arguments: What the network was made with.
        stage: Stage of training that the network belongs to.
        v_th: Thresholds of the spikes it was trained on.
        data: Hash of the recipe of the dataset it was trained on.
        loss: What was minimised, by name.
        metrics: Figures by name: losses, PSNR, SSIM, epochs.
        versions: Versions of the programs that wrote it.

    Raises:
        InvalidValueError: Values are not as above, or not those of a network of the stage.
    """

    architecture: str
    arguments: Mapping[str, Any]
    stage: str
    v_th: tuple[float, ...]
    data: str
    loss: str
    metrics: Mapping[str, float]
    versions: Mapping[str, str]

    def __post_init__(self) -> None:
        spec = STAGES.find(self.stage)
        for name in ("arguments", "metrics", "versions"):
            require_instance(getattr(self, name), name, Mapping)  # type: ignore[type-abstract]
        for name in ("data", "loss"):
            require_instance(getattr(self, name), name, str)
        require_choice(self.architecture, "architecture", [spec.network.__name__])
        if tuple(self.arguments) != spec.arguments:
            raise InvalidValueError(
                f"arguments must be those of the network, {', '.join(spec.arguments) or 'none'}, got "
                f"{', '.join(map(repr, self.arguments)) or 'none'}"
            )
        checked: dict[str, Any] = {
            "arguments": {name: _argument(value, name) for name, value in self.arguments.items()},
            "v_th": require_thresholds(self.v_th),
            "metrics": {name: _metric(value, name) for name, value in self.metrics.items()},
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Loaded:
    """A network from a file, its stage, and its card; files that others released have none.

    Args:
        network: The network.
        spec: Its stage.
        card: What the file says of it; None of files of others.
    """

    network: nn.Module
    spec: StageSpec
    card: Card | None


def save(
    path: str | os.PathLike[str],
    network: nn.Module,
    *,
    stage: str | None = None,
    v_th: Sequence[float] = (),
    data: str = "",
    loss: str = "",
    metrics: Mapping[str, float] | None = None,
    half: bool = False,
) -> Card:
    """Write the weights of a network with a card; a file that is there is replaced once the new one is whole.

    Args:
        path: The file, by custom `.safetensors`.
        network: The network of a stage itself, such as a BSN, EDSR or LDN, not wrapped.
        stage: Its stage; None takes the one that trains networks of this class from the first step.
        v_th, data, loss, metrics: For the card; empty where nothing is known.
        half: Whether the file holds float16, half the bytes; networks that are loaded from it are float32 all the same.

    Returns:
        The card.

    Raises:
        InvalidValueError: The network is of another class, its weights are no numbers, or a value is not as the card
            wants it.
        OutputError: The file cannot be written; what was there before is untouched.
    """
    path = require_path(path)
    spec = _spec_of(network, stage)
    kept = torch.float16 if require_flag(half, "half") else None
    tensors = {name: value.detach().cpu().to(kept).contiguous() for name, value in network.state_dict().items()}
    broken = [name for name, value in tensors.items() if not value.isfinite().all()]
    if broken:
        raise InvalidValueError(
            f"the weights to be saved are no numbers in {', '.join(broken[:3])}; nothing is written"
        )
    card = Card(
        architecture=type(network).__name__,
        arguments=spec.arguments_of(network),
        stage=spec.name,
        v_th=require_thresholds(v_th),
        data=data,
        loss=loss,
        metrics={} if metrics is None else metrics,
        versions={"spikesim": spikesim.__version__, "torch": torch.__version__, "python": platform.python_version()},
    )
    text = json.dumps({"format": FORMAT, **asdict(card)})
    written = safetensors.torch.save(tensors, {CARD: text, CHECKSUM: checksum(text, _bytes(tensors))})
    with atomic_path(path) as temporary:
        temporary.write_bytes(written)
    return card


def load(path: str | os.PathLike[str], stage: str | None = None, **arguments: object) -> nn.Module:
    """Load the network of a checkpoint.

    Args:
        path: What `save` wrote.
        stage: The stage that the network must be of; None takes any.
        arguments: Arguments that the network must have been made with, such as `length=21`.

    Returns:
        The network on the CPU, float32, ready to be evaluated or trained on.

    Raises:
        InvalidValueError: It is no path.
        InputFileError: The file is missing, damaged or no checkpoint, its card is missing or damaged, its tensors are
            not those of its network, or the network is not the one that is wanted.
    """
    return _load(path, list(STAGES) if stage is None else [stage], arguments).network


def load_any(path: str | os.PathLike[str], stages: Sequence[str], **arguments: object) -> Loaded:
    """Load the network of one of some stages from a checkpoint of ours, or from a file that its authors released.

    Args:
        path: The file; whose it is shows in its first bytes, whatever its name.
        stages: The stages that the network may be of.
        arguments: As for `load`; files that others released are of the default arguments.

    Returns:
        The network, its stage and its card.

    Raises:
        InvalidValueError: `stages` is no list of names.
        InputFileError: The file is missing, damaged, or holds another network.
    """
    stages = require_list(stages, "stages", "names of stages")
    if is_ours(path):
        return _load(path, stages, arguments)
    spec = recognise_stage(path, stages)
    assert spec.released is not None
    return Loaded(load_released(path, spec.released.kind), spec, None)


def read_card(path: str | os.PathLike[str]) -> Card:
    """The card of a checkpoint.

    Args:
        path: The file.

    Raises:
        InputFileError: As for `load`.
    """
    return _read(path)[0]


def _spec_of(network: nn.Module, stage: str | None) -> StageSpec:
    """The stage that a network is of."""
    if stage is not None:
        found = [spec for spec in [STAGES.find(stage)] if type(network) is spec.network]
    else:
        found = [spec for spec in STAGES.values() if type(network) is spec.network and not spec.adapts]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidValueError(
            f"the stages {', '.join(spec.name for spec in found)} all train a {type(network).__name__}; say which it is"
        )
    networks = dict.fromkeys(spec.network.__name__ for spec in STAGES.values())
    kinds = ", ".join(networks) if stage is None else STAGES[stage].described
    raise InvalidValueError(f"a checkpoint holds one of {kinds}, got {type(network).__name__}; unwrap the network")


def _load(path: str | os.PathLike[str], stages: Sequence[str], arguments: Mapping[str, object]) -> Loaded:
    """The network of a checkpoint of ours, of one of some stages and made with some arguments."""
    wanted = [STAGES.find(stage) for stage in stages]
    arguments = {name: _argument(value, name) for name, value in arguments.items()}
    card, tensors = _read(path)
    spec = STAGES[card.stage]
    if spec not in wanted:
        raise InputFileError(
            f"{path} holds the {card.architecture} of the stage {card.stage!r}, not the "
            f"{' or the '.join(other.described for other in wanted)}; give a checkpoint of that stage"
        )
    for name, value in arguments.items():
        if card.arguments.get(name) != value:
            raise InputFileError(
                f"{path} holds a {card.architecture} with {name}={card.arguments.get(name)}, not {value}; give one "
                f"that was trained with {name}={value}"
            )
    try:
        with torch.device("meta"):
            network = spec.network(**card.arguments)
    except (TypeError, ValueError) as error:
        raise damaged(path, f"no {card.architecture} can be made with {dict(card.arguments)}") from error
    slots = [Slot(name, (name,), tuple(value.shape)) for name, value in network.state_dict().items()]
    fill(network, slots, tensors, path)
    return Loaded(network.eval(), spec, card)


def _read(path: str | os.PathLike[str]) -> tuple[Card, dict[str, Tensor]]:
    path = require_path(path)
    with opened(path, "pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it has no other iterator
    held = card_of(path, metadata, _bytes(tensors))
    try:
        return Card(**_of_today(held)), tensors
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(path, str(error)) from error


def _bytes(tensors: Mapping[str, Tensor]) -> dict[str, Bytes]:
    """What a checksum is taken of tensors."""
    return {
        name: Bytes(f"{value.dtype}", tuple(value.shape), value.contiguous().flatten().view(torch.uint8).numpy().data)
        for name, value in tensors.items()
    }


def _of_today(card: dict[str, Any]) -> dict[str, Any]:
    """A card of whatever version, with the arguments' names of today."""
    spec = STAGES.get(card["stage"])
    return card if spec is None else {**card, "arguments": renamed(card["arguments"], spec.old_arguments)}


def _argument(value: Any, name: str) -> int:
    """An argument of a network: cards hold flags and whole numbers."""
    return value if isinstance(value, bool) else require_whole(value, name)


def _metric(value: Any, name: object) -> float:
    require_number(value, f"the metric {name!r}")
    return plain_number(value)
