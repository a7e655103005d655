"""The fields of a sample, each declared once.

Shards, their verification, size estimates, training items and folder layouts go through this declaration. A new field
is one more line at the end of this module and whoever makes its arrays, which travel in `Sample.extra`, as those of
`FLOW` do.
"""

from collections.abc import Collection

from spikesim.checks import require_instance, require_list
from spikesim.errors import InvalidValueError
from spikesim_datasets.misalignment import VALUES
from spikesim_datasets.optics import check_ratio
from spikesim_datasets.shards.axes import Lengths, axis_lengths
from spikesim_datasets.shards.field import Field, SpikeField
from spikesim_datasets.shards.sample import MISALIGNED, Sample

FIELDS: dict[str, Field] = {}
"""All fields by name, in the order in which they are stored."""

# Items and samples have these names for something else.
_TAKEN = {"key", "split", "name", "exposure", "sharp_readouts", "v_th", "extra"}


def declare(field: Field) -> Field:
    """Make a field known.

    Args:
        field: The field.

    Returns:
        The field.

    Raises:
        InvalidValueError: Its name or folder is another's.
    """
    require_instance(field, "field", Field)
    if field.name in _TAKEN | FIELDS.keys() or field.folder in {known.folder for known in FIELDS.values()}:
        raise InvalidValueError(f"a field {field.name!r} cannot be declared: that name or its folder is taken")
    FIELDS[field.name] = field
    return field


def optional_fields() -> dict[str, Field]:
    """The fields that a shard may be without, by name."""
    return {name: field for name, field in FIELDS.items() if field.optional}


def check_sample(sample: Sample) -> Lengths:
    """Check that the arrays of a sample are as declared and fit together; gives the lengths of their axes.

    Raises:
        InvalidValueError: They do not.
    """
    if sample.blur.ndim != 3:
        raise InvalidValueError(f"the blur of {sample.key} has the shape {sample.blur.shape}, expected (H, W, 3)")
    if not sample.spikes:
        raise InvalidValueError(
            f"a sample of {sample.key} has no spikes; a shard holds those of one threshold at least"
        )
    height, width, _ = sample.blur.shape
    check_ratio(height, width, sample.ratio, f"the blur of {sample.key}")
    if unknown := sample.extra.keys() - optional_fields().keys():
        raise InvalidValueError(
            f"a sample of {sample.key} has {', '.join(sorted(unknown))}, which no optional field is declared as; "
            f"declared are {', '.join(optional_fields()) or 'none'}"
        )
    readouts = len(next(iter(sample.spikes.values())))
    lengths = axis_lengths(len(sample.sharp_readouts), readouts, height, width, sample.ratio)
    for field in FIELDS.values():
        field.check(sample, lengths)
    return lengths


def sample_bytes(lengths: Lengths, thresholds: Collection[float], extra: Collection[str] = ()) -> int:
    """Size of a sample's arrays, not compressed; single numbers are not counted.

    Args:
        lengths: Of their axes.
        thresholds: For which it has spikes.
        extra: Optional fields that it has.

    Raises:
        InvalidValueError: `thresholds` or `extra` is no list, or a length is missing.
    """
    thresholds, extra = require_list(thresholds, "thresholds", "numbers"), require_list(extra, "extra", "names")
    return sum(
        len(field.paths(thresholds)) * field.nbytes(lengths)
        for field in FIELDS.values()
        if field.axes and (not field.optional or field.name in extra)
    )


BLUR = declare(Field("blur", ("H", "W", 3), "uint8", optional=False, file="png"))
SHARP = declare(Field("sharp", ("S", "H", "W", 3), "uint8", optional=False, file="png"))
# Not filtered: bytes of eight pixels' bits gain little.
SPIKES = declare(SpikeField("spikes", ("T", "h", "w/8"), "uint8", optional=False, filtered=False, file="dat"))
WINDOW = declare(Field("window", (), "int32", optional=False, filtered=False, file=None))
FIRST_FRAME = declare(Field("first_frame", (), "int32", optional=False, filtered=False, file=None))
# What the spike camera sees in every readout, of 65535: for training with sensors that are drawn anew each time.
LIGHT = declare(Field("light", ("T", "h", "w"), "uint16"))
# Pixels to the right and down, from each sharp frame to the next.
FLOW = declare(Field("flow", ("S-1", "H", "W", 2), "float16", mirror_signs={"W": (-1, 1), "H": (1, -1)}))
# 1 where that is exact, 0 where it is an estimate; older shards with flow, which have none of it, hold exact flow.
FLOW_EXACT = declare(Field("flow_exact", (1,), "uint8", filtered=False))
# Pixels of the image to the right and down: what an aligned spike pixel would see lies so far from there in the spikes.
ALIGNMENT = declare(Field("alignment", ("h", "w", 2), "float32", mirror_signs={"W": (-1, 1), "H": (1, -1)}))
# Numbers about whole images, as `misalignment.VALUES` names them: neither crops nor mirrors change them.
MISALIGNMENT = declare(Field(MISALIGNED, (len(VALUES),), "float64"))
