"""The kinds of interpolators: each is declared once, with how it is made and which options it has no use for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from spikesim.errors import InvalidValueError, MissingExtraError
from spikesim_datasets.interpolation.base import AlreadyDense, Interpolator, Options
from spikesim_datasets.interpolation.flow import FlowInterpolator
from spikesim_datasets.interpolation.linear import LinearInterpolator
from spikesim_datasets.interpolation.networks.weights import RELEASES
from spikesim_datasets.interpolation.plugins import make_plugin, plugin_names

OPTIONS = "weights", "device", "tile", "precision"
"""What a spec can say beside the name."""

SCRIPT = "torchscript:"
"""Before the file of an exported network, in the name of an interpolator."""


@dataclass(frozen=True)
class Kind:
    """One kind of interpolator.

    Attributes:
        make: Makes one with these options.
        refuses: Options that it has no use for, each with the reason.
    """

    make: Callable[[Options], Interpolator]
    refuses: Mapping[str, str] = field(default_factory=dict)

    @property
    def adjustable(self) -> bool:
        """Whether there is anything to choose."""
        return not self.refuses.keys() >= set(OPTIONS)


def _make_network(options: Options) -> Interpolator:
    try:
        from spikesim_datasets.interpolation.networks.interpolator import make_network_interpolator
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError(f"interpolator {options.name!r} needs torch; pip install 'spikesim[ssdm]'") from error
    return make_network_interpolator(options)


def _without_options(interpolator: Callable[[], Interpolator]) -> Kind:
    """A kind that computes on the CPU and has nothing to choose."""
    return Kind(
        lambda options: interpolator(),
        {
            "weights": "has no weights",
            "device": "runs on the CPU only",
            "tile": "does not work in tiles",
            "precision": "is no network",
        },
    )


KINDS: dict[str, Kind] = {
    "flow": _without_options(FlowInterpolator),
    "linear": _without_options(LinearInterpolator),
    "none": _without_options(AlreadyDense),
    **{name: Kind(_make_network) for name in RELEASES},
}
"""Kinds by name."""

_SCRIPTED = Kind(
    _make_network,
    {
        "weights": "brings its weights",
        "tile": "cannot be cut into tiles",
        "precision": "computes as it was exported",
    },
)
_PLUGIN = Kind(make_plugin)


def find_kind(name: str) -> Kind:
    """The kind of an interpolator by its name.

    Raises:
        InvalidValueError: There is none of that name.
    """
    if name in KINDS:
        return KINDS[name]
    if name.startswith(SCRIPT):
        return _SCRIPTED
    if name in (others := plugin_names()):
        return _PLUGIN
    raise InvalidValueError(
        f"interpolator must be one of {', '.join((*KINDS, f'{SCRIPT}MODEL.pt', *others))}, got {name!r}"
    )
