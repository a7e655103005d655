"""Evaluation: every method on every sample, one sample after the other."""

import platform
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

import spikesim
from spikesim.checks import require_flag, require_path
from spikesim.errors import InputFileError
from spikesim.gpu.devices import find_device, full_precision
from spikesim.locks import locked
from spikesim_datasets.progress import OnProgress, Progress, teller
from spikesim_datasets.remote.url import Place, require_place
from ssdm_models.evaluation.evaluation_set import EvaluationSet, MethodInput
from ssdm_models.evaluation.extremes import TRUTH, image_name, rank_samples
from ssdm_models.evaluation.folder import ROWS, Folder
from ssdm_models.evaluation.methods import Method, make_methods
from ssdm_models.evaluation.request import REQUEST, Request
from ssdm_models.evaluation.results import MethodCard, Results
from ssdm_models.evaluation.rows import Row
from ssdm_models.evaluation.scores import Score, Scorer
from ssdm_models.option_groups import sort_options

_EQUAL = 200.0  # dB, of images that differ in nothing: sums of infinite ones could not be compared


def evaluate(
    data: str | Place,
    split: str = "test",
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    **request: Any,
) -> Results:
    """Compare every way to a sharp image on the samples of a split.

    One sample is in memory at a time. Images are clipped to [0, 1], and spikes per readout normalised by
    `intensity.intensity_scale`, before they are compared.

    Args:
        data: Folder of the dataset, or one in the layout of the S-SDM release; or the address of a dataset elsewhere.
        split: `train` or `test`.
        out: Folder for `samples.csv` and `evaluation.json`; with it an evaluation that was interrupted goes on where it
            stopped. None writes nothing.
        overwrite: Whether to replace another evaluation there, which is given up before this one begins.
        on_progress: Told of images, first of those of samples that are kept.
        request: Values of `Request`.

    Returns:
        The figures of every image, their summary, and paired differences.

    Raises:
        InputFileError: Data, a run folder or a checkpoint is missing, damaged or of another kind; or the rows in `out`
            are not those of whole samples of this evaluation.
        InvalidValueError: There is no such split, threshold, ground truth or option, streams have no room for a
            window, a network needs another ratio, two rows would have one name, or there is no such device.
        OutputError: `out` holds another evaluation, another process writes it, or it cannot be written.
        MissingExtraError: The data lie elsewhere, and the extra `remote` is not installed.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024, section 5, and its release.
    """
    data, overwrite = require_place(data, "data"), require_flag(overwrite, "overwrite")
    out = None if out is None else require_path(out, "out")
    tell = teller(on_progress)
    (values,) = sort_options(request, REQUEST)
    asked = Request(**values)
    where = find_device(asked.device)
    evaluation_set = EvaluationSet(data, split, asked.v_th, asked.sequence, asked.limit)
    methods = make_methods(asked, where, evaluation_set.ratio)
    evaluation_set.leave_out(max(method.length for method in methods.rows))
    scorer = Scorer(where)
    _, height, width = evaluation_set.shape
    of_spikes = height // evaluation_set.ratio, width // evaluation_set.ratio
    results = Results(
        data=str(data),
        split=split,
        thresholds=evaluation_set.thresholds,
        times=evaluation_set.times,
        size=(height, width),
        device=_words(where),
        methods=tuple(_card(method, *of_spikes) for method in methods.rows),
        rows=(),
        notes=(*evaluation_set.notes, *methods.notes, *scorer.notes),
    )
    with nullcontext() if out is None else locked(out):
        folder = None if out is None else Folder(out, _request(results, evaluation_set, scorer), overwrite)
        rows = [] if folder is None else folder.rows
        if out is not None and rows:
            _check_rows(rows, out / ROWS, evaluation_set, methods.rows)
        done = {(row.key, row.window) for row in rows}
        waiting = [number for number in evaluation_set.numbers if not done or evaluation_set.name(number) not in done]
        of_sample = sum(len(_images(method, evaluation_set)) for method in methods.rows)
        total = of_sample * len(evaluation_set.numbers)
        made = total - of_sample * len(waiting)
        tell(Progress(made, total))
        for number in waiting:
            images: dict[str, np.ndarray] = {}
            for row in _evaluate_sample(evaluation_set, number, methods.rows, scorer, where, images):
                rows.append(row)
                made += 1
                tell(Progress(made, total, f"{row.key}, {row.method}"))
            if folder is not None:
                if images:
                    ranked = rank_samples(rows, evaluation_set.times["single"])
                    folder.images.keep(ranked, rows[-1].key, rows[-1].window, images)
                folder.save(rows)
        results = replace(results, rows=tuple(rows))
        if folder is not None:
            folder.finish(results.record())
    return results


def _evaluate_sample(
    evaluation_set: EvaluationSet,
    which: int,
    methods: Sequence[Method],
    scorer: Scorer,
    device: torch.device,
    shown: dict[str, np.ndarray],
) -> Iterator[Row]:
    """The rows of a sample; what its single frames look like, and the truth, is put into `shown`."""
    sample, neighbours = evaluation_set.sample(which), None
    if any(method.sees_neighbours for method in methods):  # which are of other shards at times
        neighbours = evaluation_set.neighbours(which)
    truth = evaluation_set.truth(sample)
    single = evaluation_set.times.get("single", ())
    for time in single:
        shown[TRUTH] = sample.sharp[sample.sharp_readouts.index(time)]
    for number, v_th in enumerate(evaluation_set.thresholds):
        scene = evaluation_set.scene(sample, v_th, device, neighbours)
        for method in methods:
            if not method.sees_spikes and number:
                continue
            images, seconds = _timed(method, scene)
            times = (None,) if method.domain == "exposure" else evaluation_set.all_times
            scores = _scores(method, images, truth[method.domain], scorer)
            for time, image, score in zip(times, images, scores, strict=True):
                row = Row(
                    sample.key,
                    sample.window,
                    v_th if method.sees_spikes else None,
                    time,
                    method.domain,
                    method.label,
                    score,
                    seconds / len(times),
                )
                if method.domain == "colour" and time in single:
                    shown[image_name(row)] = (255 * image.clamp(0, 1)).round().byte().permute(1, 2, 0).numpy(force=True)
                yield row


def _images(method: Method, evaluation_set: EvaluationSet) -> list[tuple[float | None, int | None]]:
    """Threshold and time of each image of a sample that a method gives."""
    thresholds = evaluation_set.thresholds if method.sees_spikes else (None,)
    times = (None,) if method.domain == "exposure" else evaluation_set.all_times
    return list(product(thresholds, times))


def _check_rows(rows: Sequence[Row], path: Path, evaluation_set: EvaluationSet, methods: Sequence[Method]) -> None:
    """Refuse rows that are not those of whole samples of this evaluation, before they count as its own."""
    whole = Counter((method.label, method.domain, *at) for method in methods for at in _images(method, evaluation_set))
    found: dict[tuple[str, int], Counter[tuple[Any, ...]]] = defaultdict(Counter)
    for row in rows:
        found[row.key, row.window][row.method, row.domain, row.v_th, row.readout] += 1
    names = {evaluation_set.name(number) for number in evaluation_set.numbers}
    for (key, window), images in found.items():
        problem = "is not compared"
        if (key, window) in names:
            if images == whole:
                continue
            problem = f"has {images.total()} rows, not one for each of its {whole.total()} images"
            if images.total() == whole.total():
                problem = "has rows of other images than those that are compared"
        raise InputFileError(
            f"{path} was changed or damaged: sample {window} of {key} {problem}; remove its folder to evaluate again"
        )


def _scores(method: Method, images: torch.Tensor, truth: np.ndarray, scorer: Scorer) -> list[Score]:
    """The figures of a method's images, where it cannot know the direction of time, of the one that is more like."""
    found = scorer.score(images, truth)
    if method.knows_direction or len(images) < 2:
        return found
    turned = scorer.score(images.flip(0), truth)
    return max(found, turned, key=lambda scores: sum(min(score.psnr, _EQUAL) for score in scores))


def _timed(method: Method, scene: MethodInput) -> tuple[torch.Tensor, float]:
    """A method's images, and the seconds they took."""
    device = scene.blur.device
    with torch.inference_mode(), full_precision(device):
        _wait_for(device)
        start = perf_counter()
        images = method.compute(scene)
        _wait_for(device)
    return images, perf_counter() - start


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _words(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{platform.machine()} processor, {threads} thread{'s' if threads > 1 else ''}"


def _card(method: Method, height: int, width: int) -> MethodCard:
    return MethodCard(
        method.label,
        method.domain,
        method.parameters(),
        method.all_parameters(),
        method.macs(height, width),
        method.student,
        method.loss,
        tuple(trained.sha256 for trained in method.passes),
    )


def _request(results: Results, evaluation_set: EvaluationSet, scorer: Scorer) -> dict[str, Any]:
    """What decides the rows, by the names that a message about another request gives."""
    return {
        "data": evaluation_set.digest,
        "split": results.split,
        "samples": evaluation_set.numbers,
        "thresholds": results.thresholds,
        "times": evaluation_set.all_times,
        "methods": [(card.label, card.domain, card.weights) for card in results.methods],
        "learned metrics": scorer.learned,
        "device": results.device,
        "version": spikesim.__version__,
    }
