"""Four channels at once: weighted means of 3×3 neighbours in an image of four channels, as vectors of four.

One vector of four 16-bit values is loaded for each neighbour, where plain loops load every channel alone. No operation
is fused with another, so that all processors round alike, and as plain loops do.
"""

from llvmlite import ir
from numba import types
from numba.core.cgutils import unpack_tuple
from numba.extending import intrinsic

CHANNELS = 4

_WHOLE = ir.VectorType(ir.IntType(16), CHANNELS)
_FLOAT = ir.VectorType(ir.FloatType(), CHANNELS)
_FIRST = ir.Constant(ir.VectorType(ir.IntType(32), CHANNELS), [0] * CHANNELS)


@intrinsic
def mean_of_nine(typing_context, image, rows, columns, across, down, out, at):
    """Write Σ down[r]·Σ across[c]·image[rows[r] + columns[c] ...] of four channels to four values of out from `at` on.

    image is flat, uint16; rows and columns are three whole numbers each; across and down are three weights each,
    float32; out is flat, float32.
    """

    def generate(context, builder, sig, arguments):
        place = _four_of(context, builder, sig.args[5], *arguments[5:])
        builder.store(_mean(context, builder, sig.args[0], *arguments[:5]), place, align=4)
        return context.get_dummy_value()

    return types.void(image, rows, columns, across, down, out, at), generate


@intrinsic
def lay_mean_of_nine(typing_context, image, rows, columns, across, down, opaque, out, at):
    """Lay the means m of `mean_of_nine` over four values of out: they become (1 − m[3]·opaque)·out + m.

    opaque, float32, is 1 over the value of m[3] that hides what lies below.
    """

    def generate(context, builder, sig, arguments):
        seen = _mean(context, builder, sig.args[0], *arguments[:5])
        place = _four_of(context, builder, sig.args[6], *arguments[6:])
        hidden = builder.fmul(builder.extract_element(seen, ir.IntType(32)(3)), arguments[5])
        clear = _spread(builder, builder.fsub(ir.FloatType()(1.0), hidden))
        builder.store(builder.fadd(builder.fmul(builder.load(place, align=4), clear), seen), place, align=4)
        return context.get_dummy_value()

    return types.void(image, rows, columns, across, down, opaque, out, at), generate


def _mean(context, builder, image_type, image, *parts):
    """The vector of means; parts are rows, columns, across and down."""
    source = context.make_array(image_type)(context, builder, image)
    starts, steps, *weights = (unpack_tuple(builder, part, 3) for part in parts)
    sides, lines = ([_spread(builder, weight) for weight in part] for part in weights)
    total = None
    for start, weight in zip(starts, lines, strict=True):
        line = None
        for step, side in zip(steps, sides, strict=True):
            place = builder.bitcast(builder.gep(source.data, [builder.add(start, step)]), _WHOLE.as_pointer())
            line = _plus(builder, line, side, builder.uitofp(builder.load(place, align=2), _FLOAT))
        total = _plus(builder, total, weight, line)
    return total


def _four_of(context, builder, array_type, array, at):
    """Where four values of an array lie."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), _FLOAT.as_pointer())


def _spread(builder, number):
    """A number in every lane."""
    one = builder.insert_element(ir.Constant(_FLOAT, ir.Undefined), number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, _FIRST)


def _plus(builder, total, weight, values):
    """The total and weighted values more."""
    more = builder.fmul(weight, values)
    return more if total is None else builder.fadd(total, more)
