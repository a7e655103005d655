"""What is known of the weights that a baseline's authors released, and how they come into a network of ours."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from spikesim.checks import require_path
from spikesim_datasets.torch_tools.state_dicts import Slot, Weights, fill, read_held, read_tensors


@dataclass(frozen=True)
class ReleasedNetwork:
    """The weights of one network that its authors released.

    Args:
        name: What `load_released` calls it.
        make: Makes the network, without arguments.
        licence: Under which its authors released code and weights, for people.
        names: Patterns of our names of parameters and buffers with what its authors have instead; each is replaced, in
            their order.
        twins: Patterns of its authors' names with others under which their files hold the same values as well.
        ignored: Patterns of its authors' names of what is no part of the network: derived tables, what training needs.
        entry: Key under which its authors' checkpoints have the weights.
        prefix: Of the names of its authors, left out where all wanted ones have it.
        parts: Keys under which the weights come in parts, of one file or of a mapping to several; a name of theirs has
            the key of its part and a dot before it.
    """

    name: str
    make: Callable[[], nn.Module]
    licence: str
    names: Mapping[str, str] = field(default_factory=dict)
    twins: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    entry: str | None = None
    prefix: str = ""
    parts: tuple[str, ...] = ()

    def load(self, weights: Weights) -> nn.Module:
        """The network with released weights.

        Args:
            weights: The file, of which tensors alone are read, or what it holds; of several, a mapping to them.

        Returns:
            The network, float32, ready to be evaluated.

        Raises:
            InputFileError: The file is missing, damaged or none of tensors alone, or they are not this network's.
        """
        tensors = self._read(weights)
        if self.prefix and any(name.startswith(self.prefix) for name in tensors):
            tensors = {
                name.removeprefix(self.prefix): value for name, value in tensors.items() if name.startswith(self.prefix)
            }
        wanted = {name: value for name, value in tensors.items() if not any(re.search(p, name) for p in self.ignored)}
        with torch.device("meta"):
            network = self.make()
        fill(network, self.slots(network), wanted, weights)
        return network.eval()

    def _read(self, weights: Weights) -> dict[str, Tensor]:
        """The tensors by their authors' names; parts are joined, unless they are already."""
        if not self.parts:
            return read_tensors(weights, self.entry)
        held = weights if isinstance(weights, Mapping) else read_held(require_path(weights, "the weights"))
        tensors = {part: read_tensors(held[part], self.entry) for part in self.parts if part in held}
        if not tensors:
            return read_tensors(held, self.entry)
        return {f"{part}.{name}": value for part, named in tensors.items() for name, value in named.items()}

    def slots(self, network: nn.Module) -> list[Slot]:
        """What the released file calls the parameters and buffers of a network."""
        found = []
        for name, value in network.state_dict().items():
            released = name
            for ours, theirs in self.names.items():
                released = re.sub(ours, theirs, released)
            others = [re.sub(one, other, released) for one, other in self.twins.items() if re.search(one, released)]
            found.append(Slot(name, (released, *others), tuple(value.shape)))
        return found
