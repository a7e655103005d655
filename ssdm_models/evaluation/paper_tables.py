"""The comparisons of the paper: every method at every threshold, beside the paper's own figures."""

from collections.abc import Mapping
from dataclasses import dataclass

from spikesim.checks import require_instance
from spikesim_datasets.shards.schema import threshold_name
from ssdm_models.evaluation.evaluation_set import DOMAINS
from ssdm_models.evaluation.results import Results
from ssdm_models.evaluation.summary import Interval
from ssdm_models.evaluation.tables import NONE, TITLES, Table, number, title

THRESHOLDS = (1.0, 2.0, 4.0)
"""Those of the paper."""


@dataclass(frozen=True)
class PaperRow:
    """A row of the paper's Table 1: GOPRO, sequences of seven.

    Args:
        figures: PSNR and SSIM by threshold.
        parameters: Of the network, in millions; those of DASR are not in it.
    """

    figures: tuple[str, str, str]
    parameters: str


def _alone(figures: str, parameters: str) -> PaperRow:
    """Of a method that sees no spikes."""
    return PaperRow((figures, figures, figures), parameters)


# Chen et al., "SpikeReveal", NeurIPS 2024, Table 1. Supervised methods were trained at the threshold 1.
TABLE_1: Mapping[str, PaperRow] = {
    "LEVS": _alone("21.155 .601", "4.97"),
    "Motion-ETR": _alone("21.955 .610", "6.55"),
    "BiT": _alone("23.644 .698", "11.3"),
    "TRMD+DASR": PaperRow(("27.323 .784", "21.198 .601", "18.567 .523"), "19.3"),
    "RED+DASR": PaperRow(("24.456 .741", "23.178 .674", "21.942 .608"), "9.76"),
    "REFID+DASR": PaperRow(("28.124 .819", "15.288 .339", "13.623 .274"), "15.9"),
    "SpkDeblurNet": PaperRow(("28.307 .834", "14.406 .299", "11.621 .202"), "13.4"),
    "LDN": PaperRow(("26.893 .757", "26.367 .740", "25.433 .699"), "0.23"),
}
"""By the labels of rows."""

# The same, Table 2: parameters in millions and G multiplications of the networks that learn from the teacher.
TABLE_2 = {"LDN": "0.234 M, 33.60 G", "SAN": "2.36 M, 107.84 G"}


def table_1(results: Results) -> list[Table]:
    """The paper's Table 1 with what was evaluated: sequences, PSNR and SSIM of the protocol `ssdm`; and parameters.

    Methods of the paper that were not evaluated have its figures alone; others follow, without any of the paper.

    Args:
        results: An evaluation; where it has no sequences, there is no table.
    """
    ours: dict[tuple[str, float | None], Mapping[str, Interval]] = {
        (figures.method, figures.v_th): figures.metrics
        for figures in require_instance(results, "results", Results).summary
        if (figures.domain, figures.frames) == ("colour", "sequence")
    }
    if not ours:
        return []
    labels = [*TABLE_1, *dict.fromkeys(label for label, _ in ours if label not in TABLE_1)]
    rows = []
    for v_th in sorted({*THRESHOLDS, *results.thresholds}):
        for label in labels:
            metrics = ours.get((label, v_th), ours.get((label, None), {}))
            cells = (number(name, metrics.get(name)) for name in ("psnr", "ssim_ssdm"))
            if metrics or (label in TABLE_1 and v_th in THRESHOLDS):
                rows.append((threshold_name(v_th), label, *cells, _of_paper(label, v_th)))
    columns = ("V_th", "method", TITLES["psnr"], TITLES["ssim_ssdm"], "paper, GOPRO")
    what = title(results, f"Table 1. {DOMAINS['colour']}", "sequence")
    return [Table(what, columns, tuple(rows), (4,)), _parameters(results)]


def _parameters(results: Results) -> Table:
    cards = [card for card in results.methods if card.domain == "colour" and card.parameters]
    rows = tuple(
        (
            card.label,
            f"{card.parameters / 1e6:.3g}",
            f"{card.all_parameters / 1e6:.3g}",
            TABLE_1[card.label].parameters if card.label in TABLE_1 else NONE,
        )
        for card in cards
    )
    columns = ("method", "of the network", "of all that ran", "paper")
    return Table("Parameters, millions", columns, rows, (3,))


def table_2(results: Results) -> list[Table]:
    """The students of the teacher beside each other, single frames, as the paper's Table 2.

    Args:
        results: An evaluation; where it has no student, there is no table.
    """
    cards = {card.label: card for card in require_instance(results, "results", Results).methods if card.student}
    rows = [
        (
            threshold_name(figures.v_th) if figures.v_th is not None else NONE,
            figures.method,
            _both(figures.metrics),
            f"{cards[figures.method].parameters / 1e6:.3f}",
            f"{cards[figures.method].macs / 1e9:.2f}",
            TABLE_2.get(figures.method, NONE),
        )
        for figures in results.summary
        if figures.frames == "single" and figures.method in cards
    ]
    columns = ("V_th", "student", "PSNR, SSIM ssdm", "M parameters", "GMAC", "paper: parameters, GMAC")
    what = title(results, f"Table 2. {DOMAINS['colour']}", "single")
    return [Table(what, columns, tuple(rows), (5,))] if rows else []


def _both(metrics: Mapping[str, Interval]) -> str:
    return f"{number('psnr', metrics.get('psnr'))}; {number('ssim_ssdm', metrics.get('ssim_ssdm'))}"


def _of_paper(label: str, v_th: float) -> str:
    if label not in TABLE_1 or v_th not in THRESHOLDS:
        return NONE
    return TABLE_1[label].figures[THRESHOLDS.index(v_th)]
