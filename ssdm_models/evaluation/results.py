"""The result of an evaluation: figures of every image, their summary, and paired differences."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from statistics import median
from typing import Any, get_args

from spikesim.brief import Brief
from spikesim.checks import require_choice, require_number
from spikesim.errors import InvalidValueError
from ssdm_models.evaluation.evaluation_set import Domain, Frames, Times
from ssdm_models.evaluation.rows import Row
from ssdm_models.evaluation.scores import METRICS
from ssdm_models.evaluation.summary import Figures, Grouped, Interval, SampleName, bootstrap

# What each step of S-SDM has to beat.
_STEPS = (("BSN", "TFP"), ("SR", "bilinear"), ("teacher", "SDM"), ("LDN", "teacher"), ("LDN", "blur"))
_OF_SSDM = ("SDM+BSN", "teacher", "LDN")


@dataclass(frozen=True)
class MethodCard:
    """What a method is.

    Attributes:
        label, domain: Of its rows.
        parameters: Of the network that it is called after, as papers count them.
        all_parameters: Of all its networks, each counted once.
        macs: Multiplications with weights for one frame on its own, see `cost.macs`; a network that is passed twice
            counts twice.
        student: Whether it is a network that learned from a teacher, such as LDN.
        loss: What the last of its networks minimised; empty where that is not known or there is none.
        weights: SHA-256 of its files.
    """

    label: str
    domain: Domain
    parameters: int
    all_parameters: int
    macs: int
    student: bool
    loss: str
    weights: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """How much better one method is than another on the same samples; the interval says whether it is.

    Args:
        domain: What images are compared with.
        better, worse: Labels of the two methods.
        frames: `single`, `sequence` or `exposure`.
        v_th: Threshold of the spikes.
        metrics: Of each metric, how much more the first has than the second.
    """

    domain: Domain
    better: str
    worse: str
    frames: Frames
    v_th: float
    metrics: Mapping[str, Interval]


@dataclass(frozen=True, repr=False)
class Results(Brief):
    """What an evaluation found.

    Attributes:
        data: Folder of the dataset, or its address without what may be a password or a signature.
        split: Of it.
        thresholds: That were evaluated.
        times: The readouts of single frames, sequences and exposures.
        size: (H, W) of the images that multiplications are counted for.
        device: What computed, in words.
        methods: What was compared.
        rows: Figures of every image.
        notes: What was left out, and why.
    """

    data: str
    split: str
    thresholds: tuple[float, ...]
    times: Times
    size: tuple[int, int]
    device: str
    methods: tuple[MethodCard, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @cached_property
    def samples(self) -> int:
        """Number of samples."""
        return len({(row.key, row.window) for row in self.rows})

    @cached_property
    def seconds(self) -> dict[str, float]:
        """What a frame takes by each method, as its share of the sequence it is made in; the median of all."""
        taken: dict[str, list[float]] = {}
        for row in self.rows:
            taken.setdefault(row.method, []).append(row.seconds)
        return {method: median(seconds) for method, seconds in taken.items()}

    @cached_property
    def summary(self) -> list[Figures]:
        """Means over samples with their intervals."""
        return self._grouped.figures()

    def difference(
        self, method: str, than: str, v_th: float, *, frames: Frames = "single", metric: str = "psnr"
    ) -> Interval:
        """How much more of a metric a method has than another, on average over the same samples.

        The interval is of paired differences: what makes a sample hard for both falls out. A method is better where
        the whole interval is above 0, or of LPIPS below.

        Args:
            method, than: Labels.
            v_th: Threshold.
            frames: `single`, `sequence`, or `exposure` for methods of that domain.
            metric: One of `METRICS`.

        Raises:
            InvalidValueError: There are no such figures, or those of images that cannot be compared.
        """
        require_choice(metric, "metric", METRICS)
        require_choice(frames, "frames", get_args(Frames))
        v_th = require_number(v_th, "v_th")
        cards = [self._card(label) for label in (method, than)]
        if cards[0].domain != cards[1].domain:
            raise InvalidValueError(
                f"{method} and {than} are compared with other images ({cards[0].domain}, {cards[1].domain})"
            )
        first, second = (self._values(card, v_th, frames).get(metric, {}) for card in cards)
        if not first or first.keys() != second.keys():
            raise InvalidValueError(f"there is no {metric} of {method} and {than} at V_th {v_th:g}, {frames}")
        # Of two perfect images none is better: infinity less infinity is 0.
        return bootstrap([0.0 if first[name] == second[name] else first[name] - second[name] for name in first])

    @cached_property
    def differences(self) -> list[Difference]:
        """Every step of S-SDM beside what it has to beat, and further networks beside the blurry image and LDN."""
        cards = {card.label: card for card in self.methods}
        further = [
            label for label, card in cards.items() if card.domain == "colour" and card.weights and label not in _OF_SSDM
        ]
        pairs = [*_STEPS, *((network, "blur") for network in further), *(("LDN", network) for network in further)]
        found = []
        for better, worse in pairs:
            if better not in cards or worse not in cards:
                continue
            for frames, v_th in product(self.times, self.thresholds):
                there = [self._values(cards[label], v_th, frames) for label in (better, worse)]
                shared = [metric for metric in METRICS if all(metric in values for values in there)]
                of = {metric: self.difference(better, worse, v_th, frames=frames, metric=metric) for metric in shared}
                if of:
                    found.append(Difference(cards[better].domain, better, worse, frames, v_th, of))
        return found

    def record(self) -> dict[str, Any]:
        """All but the rows, as JSON values; infinite figures are None."""
        return _finite(
            {
                "data": self.data,
                "split": self.split,
                "samples": self.samples,
                "times": self.times,
                "size": self.size,
                "device": self.device,
                "notes": self.notes,
                "methods": [asdict(card) | {"seconds": self.seconds[card.label]} for card in self.methods],
                "summary": [asdict(figures) for figures in self.summary],
                "differences": [asdict(difference) for difference in self.differences],
            }
        )

    @cached_property
    def _grouped(self) -> Grouped:
        return Grouped(self.rows, self.times)

    def _card(self, label: str) -> MethodCard:
        cards = {card.label: card for card in self.methods}
        return cards[require_choice(label, "method", cards)]

    def _values(self, card: MethodCard, v_th: float, frames: Frames) -> Mapping[str, Mapping[SampleName, float]]:
        """By metric and sample; a method that sees no spikes has the same figures at each threshold."""
        of_all = self._grouped.values(card.domain, card.label, None, frames)
        return of_all or self._grouped.values(card.domain, card.label, v_th, frames)


def _finite(value: Any) -> Any:
    """JSON values with None for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
