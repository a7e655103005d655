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
def mean_of_nine(typing_context, image, rows, across, down, out, at):
    """Write Σ down[r]·Σ across[c]·image[rows[r] + 4c ...] of four channels to four values of out from `at` on.

    image is flat, uint16; rows are three places in it, where three neighbours begin; across and down are three weights
    each, float32; out is flat, float32.
    """

    def generate(context, builder, sig, arguments):
        source = context.make_array(sig.args[0])(context, builder, arguments[0])
        target = context.make_array(sig.args[4])(context, builder, arguments[4])
        starts, *weights = (unpack_tuple(builder, part, 3) for part in arguments[1:4])
        columns, lines = ([_spread(builder, weight) for weight in part] for part in weights)
        total = None
        for start, weight in zip(starts, lines, strict=True):
            line = None
            for number, column in enumerate(columns):
                place = builder.add(start, ir.Constant(start.type, CHANNELS * number))
                values = builder.bitcast(builder.gep(source.data, [place]), _WHOLE.as_pointer())
                line = _plus(builder, line, column, builder.uitofp(builder.load(values, align=2), _FLOAT))
            total = _plus(builder, total, weight, line)
        place = builder.bitcast(builder.gep(target.data, [arguments[5]]), _FLOAT.as_pointer())
        builder.store(total, place, align=4)
        return context.get_dummy_value()

    return types.void(image, rows, across, down, out, at), generate


def _spread(builder, number):
    """A number in every lane."""
    one = builder.insert_element(ir.Constant(_FLOAT, ir.Undefined), number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, _FIRST)


def _plus(builder, total, weight, values):
    """The total and weighted values more."""
    more = builder.fmul(weight, values)
    return more if total is None else builder.fadd(total, more)
