"""Which interpolator is meant, and with which options: checked, pinned to what a machine makes of it, and made."""

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from spikesim.checks import parse_device, require_choice, require_instance, require_mapping, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.interpolation.base import Interpolator
from spikesim_datasets.interpolation.kinds import SCRIPT, find_kind

Precision = Literal["float32", "bfloat16", "float16"]

LEAST_TILE = 64
"""Smaller tiles would be margins for the most part, pixels."""

# Values of options that ask for nothing.
_UNUSED = {"weights": (None,), "device": ("auto", "cpu"), "tile": (None,), "precision": ("float32",)}


_DESCRIBED = "device", "tile", "precision"
"""Options that the descriptions of networks say."""


@dataclass(frozen=True)
class InterpolatorSpec:
    """An interpolator by name, with its options. Equal specs that are resolved make equal frames.

    Args:
        name: `flow` follows the motion by optical flow, `rife` and `xvfi` are networks with the weights their authors
            published, `linear` cross-fades, `none` takes every frame as a readout. `torchscript:MODEL.pt` is an
            exported network (see `networks.torchscript.ScriptedNetwork`), any other name an interpolator that an
            installed package offers (see `plugins.GROUP`).
        weights: File of a network's weights, or its folder or name; None looks for the published name where
            `networks.weights.find_weights` says. The others have none.
        device: `auto`, `cpu`, `cuda` or `cuda:N`, where a network runs; the others run on the CPU.
        tile: Side of the tiles that a network computes large frames in, at least 64 pixels; None computes them in one
            piece, which is faster and takes more memory.
        precision: What a network's convolutions compute in: `float32`, `bfloat16`, or, on a GPU, `float16`.
        description: What `Interpolator.describe` says, as JSON; `resolve` pins it, nobody else gives it.

    Raises:
        InvalidValueError: There is no such interpolator, a value is out of range, or of no use to it.
    """

    name: str = "flow"
    weights: str | None = None
    device: str = "auto"
    tile: int | None = None
    precision: Precision = "float32"
    description: str | None = None

    def __post_init__(self) -> None:
        require_instance(self.name, "the name of an interpolator", str)
        find_kind(self.name)
        if self.weights is not None:
            if not isinstance(self.weights, str | os.PathLike):
                raise InvalidValueError(f"weights must be a path or a name, got {self.weights!r}")
            object.__setattr__(self, "weights", os.fspath(self.weights))
        parse_device(self.device)
        if self.tile is not None:
            object.__setattr__(self, "tile", require_whole(self.tile, "tile", LEAST_TILE, unit="pixels"))
        require_choice(self.precision, "precision", get_args(Precision))
        if self.description is not None:
            self._check_description()
        for option, reason in find_kind(self.name).refuses.items():
            value = getattr(self, option)
            if value not in _UNUSED[option]:
                raise InvalidValueError(
                    f"interpolator {self.name!r} {reason}, got {option} {value!r}; leave {option} out"
                )

    def _check_description(self) -> None:
        try:
            described = isinstance(json.loads(require_instance(self.description, "description", str)), dict)
        except ValueError as error:
            if isinstance(error, InvalidValueError):
                raise
            described = False
        if not described:
            raise InvalidValueError(
                f"description must be what `resolve` pins, as JSON, got {self.description!r}; leave it out"
            )

    @classmethod
    def of(cls, interpolation: "InterpolatorSpec | str") -> "InterpolatorSpec":
        """A spec as it is, or that of a name without options.

        Args:
            interpolation: A spec, or the name of an interpolator.

        Raises:
            InvalidValueError: It is neither, or there is no interpolator of that name.
        """
        if isinstance(interpolation, str):
            return cls(interpolation)
        return require_instance(interpolation, "interpolation", cls, "give a name or an InterpolatorSpec")

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "InterpolatorSpec":
        """The spec of an interpolator that described itself so, as far as a description says: not where weights lie.

        Whether it describes itself so here as well, `describe` tells.

        Args:
            description: What `describe` of an interpolator gave, as JSON values.

        Raises:
            InvalidValueError: It is no description, or one of an interpolator that is missing here; or of an exported
                network, of which only its user knows where it lies.
        """
        record = require_mapping(description, "description", "JSON values")
        if f"{record.get('name')}:".startswith(SCRIPT):
            raise InvalidValueError("an exported network is not looked for: a description could name any file")
        return cls(record.get("name", ""), **{name: record[name] for name in _DESCRIBED if name in record})

    def resolve(self) -> "InterpolatorSpec":
        """The same spec with all pinned that depends on the machine: device, version, and the hash of the weights.

        `make` of a resolved spec gives an interpolator that describes itself as pinned, or fails: so a process that
        finds another device, other weights or another version of a library cannot work under a false description.

        Raises:
            InvalidValueError, InputFileError, MissingExtraError: As for `make`.
        """
        if self.description is not None:
            return self
        interpolator = find_kind(self.name).make(self)
        description = interpolator.describe()
        device = self.device if self.device != "auto" else str(description.get("device", self.device))
        resolved = replace(self, device=device).pin(description)
        _made.latest = resolved, interpolator
        return resolved

    def pin(self, description: Mapping[str, Any]) -> "InterpolatorSpec":
        """The same spec, held to describing itself so: what `resolve` pinned elsewhere.

        Args:
            description: What `describe` of an interpolator gave, as JSON values.

        Raises:
            InvalidValueError: It is no description.
        """
        require_mapping(description, "description", "JSON values")
        try:
            text = json.dumps(description)
        except (TypeError, ValueError) as error:
            raise InvalidValueError(f"description must hold JSON values, got {description!r}") from error
        return replace(self, description=text)

    def describe(self) -> dict[str, Any]:
        """Name, version of the algorithm and parameters, as JSON values: equal descriptions mean equal frames.

        Raises:
            InvalidValueError, InputFileError, MissingExtraError: As for `make`.
        """
        description: dict[str, Any] = json.loads(self.resolve().description or "{}")
        return description

    def make(self) -> Interpolator:
        """The interpolator. Of a resolved spec it is made once and kept, for each thread: it may hold gigabytes.

        Raises:
            InvalidValueError: The device or the precision is not available here, or a resolved spec's interpolator
                describes itself otherwise in this process.
            InputFileError: The weights are missing, damaged or those of another network.
            MissingExtraError: A network needs torch, which is not installed.
        """
        if self.description is None:
            return find_kind(self.name).make(self)
        spec, interpolator = _made.latest
        if spec != self or interpolator is None:
            interpolator = find_kind(self.name).make(self)
            self._check(interpolator.describe())
            _made.latest = self, interpolator
        return interpolator

    def _check(self, found: dict[str, object]) -> None:
        """Refuse an interpolator that describes itself otherwise than was pinned."""
        pinned, found = self.describe(), json.loads(json.dumps(found))
        differing = [name for name in {**pinned, **found} if pinned.get(name) != found.get(name)]
        if differing:
            raise InvalidValueError(
                f"the interpolator {self.name!r} of this process is not the one that was planned with: "
                + "; ".join(f"{name} was {pinned.get(name)!r}, here it is {found.get(name)!r}" for name in differing)
                + ". Use the same weights, device and versions in every process"
            )


class _Made(threading.local):
    """The latest interpolator that a resolved spec has made in this thread: interpolators keep state between calls."""

    latest: tuple[InterpolatorSpec | None, Interpolator | None] = None, None


_made = _Made()
