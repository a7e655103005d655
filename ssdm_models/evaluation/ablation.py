"""The ablations of the paper: what each part of S-SDM brings, how much reblurring counts, and what BSN denoises."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from spikesim.checks import require_instance
from ssdm_models.evaluation.evaluation_set import DOMAINS, Domain
from ssdm_models.evaluation.results import MethodCard, Results
from ssdm_models.evaluation.summary import Figures
from ssdm_models.evaluation.tables import NONE, TITLES, Table, number, ordered, threshold, title

_SHOWN = ("psnr", "ssim_ssdm", "ssim_standard")

# PSNR and SSIM of the paper: GOPRO, middle frame, V_th 1.
_COMPONENTS = {
    "SDM": "23.012 .486",
    "SDM+BSN": "24.634 .661",
    "teacher": "26.144 .708",
    "LDN": "27.928 .786",
}
_WEIGHTS: Mapping[float, str] = {
    0: "26.563 .723",
    10: "27.345 .762",
    50: "27.742 .778",
    100: "27.928 .786",
    200: "27.620 .783",
}
_WITHOUT_TEACHER = "23.102 .441"
_GREY = {"TFP": "25.997 .733", "BSN": "27.365 .842"}
_PAPER_THRESHOLD = 1.0

_REBLUR = " reblur"
_NAMES = {"SDM": "SDM", "SDM+BSN": "+ BSN", "teacher": "+ SR (teacher)", "LDN": "+ LDN"}


class Loss(NamedTuple):
    """What a student minimised: a perceptual distance to the teacher, or None, and λ, the weight of reblurring."""

    perceptual: str | None
    weight: float


def parse_loss(text: str) -> Loss | None:
    """The parts of a loss such as `lpips + 100 reblur`, `ms-ssim` or `100 reblur`; None where nothing is known."""
    perceptual, _, last = text.rpartition(" + ")
    if not last.endswith(_REBLUR):
        return Loss(text, 0) if text else None
    try:
        return Loss(perceptual or None, float(last.removesuffix(_REBLUR)))
    except ValueError:
        return None


def ablation_tables(results: Results) -> list[Table]:
    """The rows of the paper's Tables 2 to 4 that the networks at hand make possible, single frames.

    Args:
        results: An evaluation of one run folder and, for the weight of reblurring, of further ones or of checkpoints.

    Raises:
        InvalidValueError: It is no `Results`.
    """
    cards = {card.label: card for card in require_instance(results, "results", Results).methods}
    students = {label: card for label, card in cards.items() if card.student and card.loss}
    return [
        *_table(results, "Components", "colour", _NAMES, _COMPONENTS),
        *_table(
            results,
            "Weight λ of the reblurring loss",
            "colour",
            {label: _described(card) for label, card in students.items()},
            {label: _of_paper(card) for label, card in students.items()},
        ),
        *_table(results, "Denoising", "grey", {"TFP": "TFP", "TFI": "TFI", "BSN": "BSN"}, _GREY),
    ]


def _table(
    results: Results, what: str, domain: Domain, names: Mapping[str, str], paper: Mapping[str, str]
) -> Sequence[Table]:
    """A table of some methods under other names; none where there are no such methods."""
    figures = [f for f in results.summary if f.frames == "single" and f.domain == domain and f.method in names]
    rows = tuple(
        (
            threshold(f.v_th),
            names[f.method],
            *(number(name, f.metrics[name]) for name in _SHOWN),
            paper.get(f.method, NONE) if f.v_th == _PAPER_THRESHOLD else NONE,
        )
        for f in _in_order(figures, list(names))
    )
    columns = ("V_th", "method", *(TITLES[name] for name in _SHOWN), "paper, GOPRO: PSNR, SSIM ssdm")
    return [Table(title(results, f"{what}. {DOMAINS[domain]}", "single"), columns, rows)] if rows else []


def _in_order(figures: Sequence[Figures], labels: Sequence[str]) -> list[Figures]:
    return ordered(sorted(figures, key=lambda f: labels.index(f.method)))


def _described(card: MethodCard) -> str:
    loss = parse_loss(card.loss)
    without = " (without the teacher)" if loss is not None and loss.perceptual is None else ""
    return f"{card.loss}{without}"


def _of_paper(card: MethodCard) -> str:
    loss = parse_loss(card.loss)
    if loss is None:
        return NONE
    return _WITHOUT_TEACHER if loss.perceptual is None else _WEIGHTS.get(loss.weight, NONE)
