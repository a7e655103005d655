"""What declares a stage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from torch import nn

from spikesim.checks import require_choice, require_flag, require_instance, require_list
from spikesim.errors import InvalidValueError
from spikesim_datasets.optics import SCALE
from ssdm_models.deblurring_network import DeblurringNetwork
from ssdm_models.objectives.objective import Objective
from ssdm_models.stage_config import OWN_SETTINGS, SETTINGS
from ssdm_models.teacher import Teacher
from ssdm_models.tensor_checks import require_function, require_thresholds

Task = Literal["denoising", "super-resolution", "deblurring", "upsampling"]
"""What a network does, and so which row shows it: `denoising` of grey short exposures (N, 1, h, w), `super-resolution`
of grey images (N, 1, h, w) to (N, 1, 4h, 4w), `deblurring` as a `DeblurringNetwork`, or `upsampling` of colour images
(N, 3, h, w) to (N, 3, 4h, 4w), for networks that deblur at a quarter of the size."""


@dataclass(frozen=True)
class ReleasedFile:
    """The file of weights that a network's authors released.

    Args:
        kind: What `load_released` calls it.
        names: Patterns of our names for the network's parameters, with what its authors call them.
        v_th: Thresholds of the spikes it was trained on, as far as they are known.
        fix: Changes a network that holds the released weights to one of our conventions.
        normalised: Whether its authors feed it normalised spikes, as it is fed here, and not the spikes themselves.

    Raises:
        InvalidValueError: Values are not as above.
    """

    kind: str
    names: Mapping[str, str]
    v_th: tuple[float, ...] = ()
    fix: Callable[[Any], None] | None = None
    normalised: bool = True

    def __post_init__(self) -> None:
        require_instance(self.kind, "kind", str)
        _check_words(require_instance(self.names, "names", Mapping), "names")  # type: ignore[type-abstract]
        _check_words(self.names.values(), "names")
        object.__setattr__(self, "v_th", require_thresholds(self.v_th))
        object.__setattr__(self, "normalised", require_flag(self.normalised, "normalised"))
        if self.fix is not None:
            require_function(self.fix, "fix")


@dataclass(frozen=True)
class StageSpec:
    """A stage: a network, what it minimises, and how both are trained, kept and shown.

    Args:
        name: Of the stage; its network is the file `NAME.safetensors` of a run, and its state the folder `NAME`.
        label: Of the network's row in an evaluation.
        task: What the network does.
        network: Its class, with a `title`; without arguments it makes the network that the stage trains.
        objective: What it minimises; `objective.make` makes it of a network and a configuration.
        paper: Values of `StageConfig` as its paper has them, `epochs` and `learning_rate` among them.
        release: Those that the released code has otherwise.
        small: Those of a training that two cores finish in minutes.
        small_arguments: What its network is then made with.
        arguments: The network's arguments that a checkpoint's card keeps, each an attribute of the same name.
        fixed_arguments: Those of them that a checkpoint to begin with must have as the network that the stage trains.
        old_arguments: Names of today by those that earlier versions wrote.
        released: The file that its authors released, if any.
        teachers: Stages whose networks it learns from.
        make_teacher: Makes the teacher of these networks, in their order.
        needs_ground_truth: Whether its samples carry their true images.
        draws_sensors: Whether its samples are of one time each, with ground truth, seen by sensors that are drawn anew
            (`sensed_samples.SensedSamples`); thresholds are then drawn between the least and the greatest of `v_th`.
        adapts: The stage whose networks it goes on with, of a checkpoint or of the package. Its samples are the scenes
            that such a network shows of the recordings, sensed again (`training.shown_scenes.ShownScenes`).
        grows_from: Another stage, with whose networks it can begin as well as with its own.
        grow: Takes over into a new network of the stage, its first argument, what one of that stage has learned.
        own_settings: Those of `stage_config.OWN_SETTINGS` that count for it.
        in_default_run: Whether it is trained where no stage is named.

    Raises:
        InvalidValueError: Values are not as above, or contradict each other.
    """

    name: str
    label: str
    task: Task
    network: type[nn.Module]
    objective: type[Objective]
    paper: Mapping[str, Any]
    release: Mapping[str, Any] = field(default_factory=dict)
    small: Mapping[str, Any] = field(default_factory=dict)
    small_arguments: Mapping[str, int] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    fixed_arguments: tuple[str, ...] = ()
    old_arguments: Mapping[str, str] = field(default_factory=dict)
    released: ReleasedFile | None = None
    teachers: tuple[str, ...] = ()
    make_teacher: Callable[..., Teacher] | None = None
    needs_ground_truth: bool = False
    draws_sensors: bool = False
    adapts: str = ""
    grows_from: str = ""
    grow: Callable[[Any, Any], None] | None = None
    own_settings: tuple[str, ...] = ()
    in_default_run: bool = False

    def require_ratio(self, ratio: int) -> None:
        """Check that its networks take spikes of a size in a ratio to the image's.

        Args:
            ratio: How many pixels of the image one of the spikes is wide and high.

        Raises:
            InvalidValueError: They do not: all but those that denoise, which see no image, are made for 4.
        """
        if self.task != "denoising" and ratio != SCALE:
            raise InvalidValueError(
                f"{self.label} is made for spikes whose pixels are {SCALE} of the image wide and high, and these are "
                f"{ratio}; build the dataset with --ratio {SCALE}"
            )

    def __post_init__(self) -> None:
        require_choice(self.task, "task", get_args(Task))
        for name in ("name", "label", "adapts", "grows_from"):
            require_instance(getattr(self, name), name, str)
        for name, kind in (("network", nn.Module), ("objective", Objective)):
            if not isinstance(given := getattr(self, name), type) or not issubclass(given, kind):
                raise InvalidValueError(f"{name} must be a class of {kind.__name__}, got {given!r}")
        for name in ("paper", "release", "small", "small_arguments", "old_arguments"):
            _check_words(require_instance(getattr(self, name), name, Mapping), name)  # type: ignore[type-abstract]
        _check_words(self.old_arguments.values(), "old_arguments")
        for name in ("arguments", "fixed_arguments", "teachers", "own_settings"):
            object.__setattr__(self, name, tuple(_check_words(getattr(self, name), name)))
        for name in ("needs_ground_truth", "draws_sensors", "in_default_run"):
            object.__setattr__(self, name, require_flag(getattr(self, name), name))
        if self.released is not None:
            require_instance(self.released, "released", ReleasedFile)
        if self.make_teacher is not None:
            require_function(self.make_teacher, "make_teacher")
        if self.grow is not None:
            require_function(self.grow, "grow")
        deblurs = issubclass(self.network, DeblurringNetwork)
        known = {*self.arguments}
        for problem, found in (
            ("name must be a word", not self.name.isidentifier()),
            ("a network deblurs if and only if it is a DeblurringNetwork", deblurs != (self.task == "deblurring")),
            ("paper, release and small must hold settings of StageConfig",
             not {*self.paper, *self.release, *self.small} <= {*SETTINGS}),
            ("small_arguments must be arguments", not {*self.small_arguments} <= known),
            ("paper must have epochs and learning_rate", not {"epochs", "learning_rate"} <= {*self.paper}),
            ("fixed_arguments must be arguments", not {*self.fixed_arguments} <= known),
            ("old_arguments must be old names of arguments", not {*self.old_arguments.values()} <= known),
            ("teachers and make_teacher go together", bool(self.teachers) != (self.make_teacher is not None)),
            ("grows_from and grow go together", bool(self.grows_from) != (self.grow is not None)),
            (f"own_settings must be of {', '.join(OWN_SETTINGS)}", not {*self.own_settings} <= {*OWN_SETTINGS}),
            ("precompute_teacher needs teachers", "precompute_teacher" in self.own_settings and not self.teachers),
            ("draws_sensors and needs_ground_truth exclude each other", self.draws_sensors and self.needs_ground_truth),
            ("a stage that draws sensors has no teachers", self.draws_sensors and bool(self.teachers)),
            ("a stage that adapts has neither teachers nor ground truth, and draws no sensors",
             self.adapts and (self.teachers or self.needs_ground_truth or self.draws_sensors)),
            ("only a network that deblurs can be adapted", self.adapts and not deblurs),
            # Both would be the samples' `sharp`.
            ("needs_ground_truth and precompute_teacher exclude each other",
             self.needs_ground_truth and "precompute_teacher" in self.own_settings),
        ):  # fmt: skip
            if found:
                raise InvalidValueError(f"{problem}, in the stage {self.name!r}")

    def new(self, *, small: bool = False) -> nn.Module:
        """A new network of the stage, or a small one.

        Args:
            small: Whether it is the small one, which two cores can train.

        Raises:
            InvalidValueError: It is no flag.
        """
        return self.network(**(self.small_arguments if require_flag(small, "small") else {}))

    @property
    def file(self) -> str:
        """Name of the network's checkpoint in the folder of a run."""
        return f"{self.name}.safetensors"

    @property
    def described(self) -> str:
        """The network and the stage in messages."""
        return f"{self.network.__name__} of {self.name!r}"

    def arguments_of(self, network: nn.Module) -> dict[str, Any]:
        """What a network of the stage was made with.

        Args:
            network: One of the stage.
        """
        return {name: getattr(network, name) for name in self.arguments}


def _check_words(values: Any, name: str) -> list[str]:
    """Several words, as a list, or an InvalidValueError."""
    return [require_instance(value, f"each of {name}", str) for value in require_list(values, name, "words")]
