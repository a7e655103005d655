"""What decides the weights that a stage ends with."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from spikesim.checks import plain_number, require_choice, require_flag, require_instance, require_number, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.samples import Flip, require_flip
from ssdm_models.losses import PERCEPTUAL
from ssdm_models.precision import Precision
from ssdm_models.tensor_checks import require_thresholds

Schedule = Literal["epoch", "batch", "linear", "halved", "constant"]

NO_PERCEPTUAL = "none"
"""In place of a perceptual loss: no teacher, the student learns from its blurry images alone."""

OWN_SETTINGS = ("perceptual", "reblur", "precompute_teacher")
"""Those of `StageConfig` that count only for stages which name them (`StageSpec.own_settings`)."""


@dataclass(frozen=True)
class StageConfig:
    """The training of one stage. Two of equal values end with the same weights.

    Args:
        stage: A name in `stages.STAGES`.
        v_th: Thresholds of the spikes; of several, each sample draws one, and one network serves all.
        split: Split of the dataset that is trained on.
        epochs: Times that each sample is seen.
        batch: Samples a step, on all devices together.
        accumulate: Parts that the batch of a device is computed in, one after the other.
        crop: Side of the crops of the blurry images in pixels, a multiple of 32.
        flip: Mirror crops at random; `turn` turns them as well.
        learning_rate: Of Adam, at its highest.
        schedule: `epoch`: a cosine, stepped by epoch; `batch`: one as long as `epochs` batches, over and over, as the
            released code steps it; `linear`: a line, stepped by epoch; `halved` after each quarter of the epochs;
            `constant`.
        rate_floor: Part of the highest rate that cosines and lines fall to, in [0, 1].
        schedule_part: Part of the schedule that is gone through, from its beginning on, in (0, 1].
        warm_up: Epochs in which the rate rises to the schedule's, step by step.
        ema: Decay by step of a running mean of the weights, which is then what is saved; 0 saves the weights.
        square_decay: Decay by step of Adam's mean of squared gradients, in [0, 1).
        weight_decay: Part of the weights that a step takes off them, times its rate, as AdamW does.
        small: Whether the network of the stage is made small, and other values are those of its small training, as far
            as they are not given.
        clip: Norm that the gradient of a step is scaled down to where it is larger; 0 leaves it as it is.
        precision: `float32`, or `bfloat16` or `float16` for half precision where it is safe.
        seed: Of first weights, order, crops, flips and thresholds.
        perceptual: Distance to the teacher, one of `losses.PERCEPTUAL`, or `none` for no teacher.
        reblur: Weight λ of the distance from the mean of a sharp sequence to the blurry image.
        precompute_teacher: Whether the teacher is asked once for whole images, before the first step, rather than for
            every crop. That is much faster and takes the disk space of five images for each sample and threshold.

    Raises:
        InvalidValueError: A value is not as above.
    """

    stage: str
    epochs: int
    learning_rate: float
    v_th: tuple[float, ...] = (1.0,)
    split: str = "train"
    batch: int = 8
    accumulate: int = 1
    crop: int = 512
    flip: Flip = True
    schedule: Schedule = "epoch"
    rate_floor: float = 0.0
    schedule_part: float = 1.0
    warm_up: int = 0
    ema: float = 0.0
    clip: float = 0.0
    square_decay: float = 0.999
    weight_decay: float = 0.0
    small: bool = False
    precision: Precision = "float32"
    seed: int = 0
    perceptual: str = "lpips"
    reblur: float = 100.0
    precompute_teacher: bool = False

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {"v_th": require_thresholds(self.v_th)}
        for name, least in {"epochs": 1, "batch": 1, "accumulate": 1, "crop": 1, "warm_up": 0, "seed": 0}.items():
            checked[name] = require_whole(getattr(self, name), name, least)
        require_number(self.learning_rate, "learning_rate", above=0)
        require_number(self.reblur, "reblur", 0)
        for name in ("ema", "square_decay"):
            if require_number(getattr(self, name), name, 0) >= 1:
                raise InvalidValueError(f"{name} must lie in [0, 1), got {getattr(self, name)!r}")
        require_number(self.rate_floor, "rate_floor", 0, 1)
        require_number(self.schedule_part, "schedule_part", above=0, most=1)
        for name in ("clip", "weight_decay"):
            require_number(getattr(self, name), name, 0)
        decays = ("ema", "square_decay", "weight_decay")
        for name in ("learning_rate", "rate_floor", "schedule_part", "reblur", "clip", *decays):
            checked[name] = plain_number(getattr(self, name))
        checked["flip"] = require_flip(self.flip)
        for name in ("precompute_teacher", "small"):
            checked[name] = require_flag(getattr(self, name), name)
        for name in ("stage", "split"):
            require_instance(getattr(self, name), name, str)
        require_choice(self.schedule, "schedule", get_args(Schedule))
        require_choice(self.precision, "precision", get_args(Precision))
        require_choice(self.perceptual, "perceptual", (*PERCEPTUAL, NO_PERCEPTUAL))
        if checked["batch"] % checked["accumulate"]:
            raise InvalidValueError(f"accumulate must divide the batch, got {self.accumulate}")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def record(self, own: tuple[str, ...]) -> dict[str, Any]:
        """What decides the weights of the stage, as JSON values.

        Args:
            own: Which of `OWN_SETTINGS` count for it.
        """
        values = asdict(self)
        for name in OWN_SETTINGS:
            if name not in own:
                del values[name]
        return {**values, "v_th": list(self.v_th)}

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step.

        Args:
            step: Steps done before.
            steps: Steps of an epoch.
        """
        rising = min(1.0, (step + 1) / (self.warm_up * steps)) if self.warm_up else 1.0
        return self.learning_rate * rising * self._part(step, steps)

    def _part(self, step: int, steps: int) -> float:
        """The part of the highest rate that the schedule leaves."""
        done = (step if self.schedule == "batch" else step // steps) / self.epochs * self.schedule_part
        if self.schedule == "constant":
            return 1.0
        if self.schedule == "halved":
            return 0.5 ** int(4 * done)
        left = 1 - done if self.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
        return self.rate_floor + (1 - self.rate_floor) * left


SETTINGS = tuple(field.name for field in fields(StageConfig) if field.name != "stage")
"""What a training can be told, beside its stage."""
