"""Evaluation: every way from a blurry image and its spikes to a sharp one, compared with the truth."""

from ssdm_models.evaluation.request import Request
from ssdm_models.evaluation.results import Difference, MethodCard, Results
from ssdm_models.evaluation.rows import Row, read_rows
from ssdm_models.evaluation.running import evaluate
from ssdm_models.evaluation.scores import METRICS, Score
from ssdm_models.evaluation.summary import Figures, Interval, bootstrap

__all__ = [
    "METRICS",
    "Difference",
    "Figures",
    "Interval",
    "MethodCard",
    "Request",
    "Results",
    "Row",
    "Score",
    "bootstrap",
    "evaluate",
    "read_rows",
]
