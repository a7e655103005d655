"""What `info` says of a file, in words: sizes with their units, recipes as sentences."""

from collections.abc import Callable
from typing import Any

Record = dict[str, Any]

_LISTED = 12  # of a long list: so many and the last


def words_of(record: Record) -> list[tuple[str, str]]:
    """The lines of a record, names and values; the names of its JSON in words."""
    lines = []
    for name, value in record.items():
        if name == "even":  # which `timing` says with figures
            continue
        title, say = _WORDS.get(name, (name.replace("_", " "), _plain))
        lines.append((title, say(value)))
    return lines


def pixels(size: Any) -> str:
    """[height, width] as people say it."""
    return f"{size[1]}×{size[0]} pixels"


def colours(said: Record) -> str:
    """What a source says of its colours, and what is assumed."""
    if not said:
        return "not known: the first frame cannot be decoded"
    assumed = f" (not told, assumed: {', '.join(said['assumed'])})" if said["assumed"] else ""
    return f"matrix {said['matrix']}, transfer {said['transfer']}, {said['range']} range{assumed}"


def size(bytes_: int) -> str:
    """A number of bytes in words."""
    value = float(bytes_)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def _plain(value: Any) -> str:
    match value:
        case None:
            return "not known"
        case bool():
            return "yes" if value else "no"
        case dict():
            return "\n".join(f"{name}: {_plain(entry)}" for name, entry in value.items()) or "none"
        case list():
            shown = value if len(value) <= _LISTED + 1 else [*value[:_LISTED], "...", value[-1]]
            return ", ".join(map(_plain, shown)) or "none"
        case float():
            return f"{value:.5g}"
    return str(value)


def _readouts(value: int) -> str:
    return f"{value} readouts"


def _exposure(span: Any) -> str:
    start, stop = span
    return f"{stop - start} readouts, {start} to {stop - 1} of the stream"


def _at(readouts: Any) -> str:
    return f"readout{'s' * (len(readouts) > 1)} {_plain(readouts)}" if readouts else "none is kept"


def _choices(choices: Record) -> str:
    """A recipe in sentences; what none is about stands as it is."""
    if not choices:
        return "not known"
    rest, sentences = dict(choices), []
    for names, sentence in _SENTENCES:
        if all(name in rest for name in names):
            try:
                sentences.append(sentence(*(rest[name] for name in names)))
            except (KeyError, TypeError, AttributeError):  # a file of others: what is in it is shown below
                continue
            for name in names:
                del rest[name]
    return "\n".join([*sentences, *([_plain(rest)] if rest else [])])


def _plan(plan: Record) -> str:
    return (
        f"exposures of {plan['frames']} frames with {plan['factor']} readouts from one to the next, {plan['gap']} "
        f"readouts between exposures, streams {plan['padding']} longer at both ends"
    )


def _cameras(cameras: list[Record]) -> str:
    first = cameras[0]
    noise = ", ".join(term["term"] for term in first["noise"]) or "no noise"
    thresholds = ", ".join(f"{camera['v_th']:g}" for camera in cameras)
    start = first["start"] if isinstance(first["start"], str) else f"up to {first['start']:.4g}"
    return (
        f"sensors: thresholds {thresholds}, gain {first['gain']:.4g}, {first['reset']} reset, start {start}, {noise}, "
        f"{first['readout_hz']:,.0f} readouts a second"
    )


def _interpolation(spec: Record) -> str:
    version = "".join(f", {name} {spec[name]}" for name in ("version", "device", "precision") if name in spec)
    return f"interpolation: {spec['name']}{version}"


def _rig(rig: Record) -> str:
    fixed = "" if rig["homography"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]] else "a homography, and "
    return (
        f"misaligned for each {rig['per']}: {fixed}up to {rig['shift']:.2%} of the width aside, corners "
        f"{rig['corners']:.2%}, parallax {rig['parallax']:.2%}, {rig['offset']} readouts, light times {rig['gain']:g} "
        "or less"
    )


_SENTENCES: tuple[tuple[tuple[str, ...], Callable[..., str]], ...] = (
    (("plan",), _plan),
    (("cameras",), _cameras),
    (("interpolation",), _interpolation),
    (
        ("downscale", "linear_light"),
        lambda downscale, linear: f"light: {downscale} downscale, {'linear' if linear else 'coded values'}",
    ),
    (
        ("downscale", "response"),
        lambda downscale, response: f"light: {downscale} downscale, response {_plain(response)}",
    ),
    (("ratio",), lambda ratio: f"a pixel of the spikes is {ratio} of the images wide and high"),
    (("sharp",), lambda sharp: f"ground truth: {sharp}"),
    (("cuts",), lambda cuts: f"windows across scene cuts: {cuts}"),
    (("misalign",), _rig),
    (("seed",), lambda seed: f"seed {seed}"),
    (
        ("shard_samples", "compression"),
        lambda samples, filter_: f"shards of up to {samples} samples, images compressed by {filter_}",
    ),
)
"""The choices of a recipe that each sentence is about, and the sentence."""

_WORDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "bytes": ("size", size),
    "blur": ("blur", pixels),
    "readouts": ("streams", _readouts),
    "exposure": ("exposure", _exposure),
    "ground_truth_at": ("ground truth at", _at),
    "choices": ("recipe", _choices),
    "frame": ("frame", pixels),
    "rate": ("rate", lambda rate: "not known" if rate is None else f"{rate:.5g} frames per second"),
    "colours": ("colours", colours),
    "interlaced": ("lines", lambda interlaced: "interlaced" if interlaced else "progressive"),
    "pixel_shape": ("pixels", lambda shape: "square" if shape == 1 else f"{shape:.4g} times as wide as high"),
    "windows": ("windows", _plain),
    "refused": ("a build", lambda refused: "takes it" if refused is None else f"refuses it: {refused}"),
}
"""The title of a value, and how it is said."""
