"""Two groups at once: eight neighbouring pixels each, as the two halves of a vector of sixteen.

What a group shares, such as where its pixels lead, is a number for each half; what its pixels look up lies in one
piece. Eight groups, one below the other, are a patch: four vectors. The operators are those of `lanes`, and no bit
depends on the processor either.
"""

from itertools import pairwise

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function, unpack_tuple
from numba.extending import intrinsic

from spikesim.kernels.lanes import FLOAT, LANES, Lanes

GROUP = LANES // 2
"""Pixels of a group."""

BYTES = 3 * GROUP
"""Bytes of a group in colour."""

_SHORT = Lanes(types.uint16)
_INT8, _INT16, _INT32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)


def _order(places):
    """Which lanes a shuffle takes."""
    places = list(places)
    return ir.Constant(ir.VectorType(_INT32, len(places)), places)


def _address(context, builder, array_type, array, at, vector):
    """Where a vector begins in a flat array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


@intrinsic
def in_each(typing_context, first, second):
    """A number in every lane of the first group, and another in those of the second."""
    lanes = Lanes(first)

    def generate(context, builder, sig, arguments):
        both = ir.Constant(lanes.vector, ir.Undefined)
        for i, number in enumerate(arguments):
            both = builder.insert_element(both, number, _INT32(i))
        return builder.shuffle_vector(both, both, _order([0] * GROUP + [1] * GROUP))

    return lanes(first, first), generate


@intrinsic
def place_in_group(typing_context):
    """0, 1, ..., 7 in the lanes of either group."""
    numbers = ir.Constant(FLOAT.vector, [float(i % GROUP) for i in range(LANES)])
    return FLOAT(), lambda context, builder, sig, arguments: numbers


@intrinsic
def bilinear(typing_context, image, first, second, stride, across, down):
    """Samples between the values of an image, in 1/32 of them.

        u + down (l − u),   u = 32 a[i] + across (a[i+1] − a[i]) in uint16, l the same a stride farther

    image is flat, uint16 under 2048; a group begins at `first` or `second`. across is uint16 up to 32; down is float32,
    whole 1/32. Every step is exact, so that it may be fused with the next.
    """

    def generate(context, builder, sig, arguments):
        image, first, second, stride, across, down = arguments
        half = ir.VectorType(_INT16, GROUP)

        def values(offset):
            groups = [
                builder.load(_address(context, builder, sig.args[0], image, builder.add(at, offset), half), align=2)
                for at in (first, second)
            ]
            return builder.shuffle_vector(*groups, _order(range(LANES)))

        def line(offset):
            before, after = values(offset), values(builder.add(offset, one))
            whole = builder.shl(before, ir.Constant(_SHORT.vector, [5] * LANES))
            return builder.uitofp(builder.add(whole, builder.mul(builder.sub(after, before), across)), FLOAT.vector)

        one = stride.type(1)
        upper, lower = line(stride.type(0)), line(stride)
        kind = ir.FunctionType(FLOAT.vector, [FLOAT.vector] * 3)
        function = get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")
        return builder.call(function, [builder.fsub(lower, upper), down, upper])

    return FLOAT(image, types.intp, types.intp, types.intp, _SHORT, FLOAT), generate


def _rows(context, builder, array_type, image, starts, stride, offset=0):
    """Pairs of rows of eight values of a flat float32 image, from a place on; an odd last row is a pair with itself."""
    half, (at, rows) = ir.VectorType(ir.FloatType(), GROUP), starts

    def row(number):
        start = builder.add(builder.add(at, builder.mul(stride, stride.type(number))), stride.type(offset))
        return builder.load(_address(context, builder, array_type, image, start, half), align=4)

    pairs = [(row(number), row(min(number + 1, rows - 1))) for number in range(0, rows, 2)]
    return [builder.shuffle_vector(*pair, _order(range(LANES))) for pair in pairs]


@intrinsic
def patch(typing_context, image, at, stride):
    """Eight rows of eight values of a flat float32 image, from a place on, as four pairs of rows."""

    def generate(context, builder, sig, arguments):
        image, at, stride = arguments
        return context.make_tuple(
            builder, sig.return_type, _rows(context, builder, sig.args[0], image, (at, GROUP), stride)
        )

    return types.UniTuple(FLOAT, 4)(image, types.intp, types.intp), generate


@intrinsic
def patch_between(typing_context, image, at, stride, across, down):
    """As `patch`, bilinear between the places and those one to the right and one down, by float32 parts of 1."""

    def generate(context, builder, sig, arguments):
        image, at, stride, *parts = arguments
        ones = ir.Constant(FLOAT.vector, ir.Undefined)
        across, down = (
            builder.shuffle_vector(builder.insert_element(ones, part, _INT32(0)), ones, _order([0] * LANES))
            for part in parts
        )

        def mix(a, b, part):
            return builder.fadd(a, builder.fmul(part, builder.fsub(b, a)))

        sides = (_rows(context, builder, sig.args[0], image, (at, GROUP + 1), stride, offset) for offset in (0, 1))
        lines = [mix(a, b, across) for a, b in zip(*sides, strict=True)]
        values = [
            mix(line, builder.shuffle_vector(line, following, _order(range(GROUP, GROUP + LANES))), down)
            for line, following in pairwise(lines)
        ]
        return context.make_tuple(builder, sig.return_type, values)

    return types.UniTuple(FLOAT, 4)(image, types.intp, types.intp, types.float32, types.float32), generate


@intrinsic
def add_patch(typing_context, image, at, stride, values):
    """Add the values of a patch to a flat float32 image, from a place on."""

    def generate(context, builder, sig, arguments):
        image, at, stride, values = arguments
        half = ir.VectorType(ir.FloatType(), GROUP)
        for number, pair in enumerate(unpack_tuple(builder, values, 4)):
            for side in (0, 1):
                start = builder.add(at, builder.mul(stride, stride.type(2 * number + side)))
                address = _address(context, builder, sig.args[0], image, start, half)
                more = builder.shuffle_vector(pair, pair, _order(range(GROUP * side, GROUP * side + GROUP)))
                builder.store(builder.fadd(builder.load(address, align=4), more), address, align=4)
        return context.get_dummy_value()

    return types.none(image, types.intp, types.intp, types.UniTuple(FLOAT, 4)), generate


@intrinsic
def sum_of_lanes(typing_context, value):
    """The sum of all lanes: of those eight apart, of those four apart of these, and so on."""

    def generate(context, builder, sig, arguments):
        return builder.extract_element(_folded(builder, arguments[0], (8, 4, 2, 1)), _INT32(0))

    return types.float32(FLOAT), generate


def _folded(builder, vector, distances):
    """Every lane, with those that lie so far on added, one after the other."""
    for distance in distances:
        far = [min(i + distance, LANES - 1) for i in range(LANES)]
        vector = builder.fadd(vector, builder.shuffle_vector(vector, vector, _order(far)))
    return vector


@intrinsic
def absolute(typing_context, value):
    """The absolute value."""

    def generate(context, builder, sig, arguments):
        kind = ir.FunctionType(FLOAT.vector, [FLOAT.vector])
        return builder.call(get_or_insert_function(builder.module, kind, f"llvm.fabs.v{LANES}f32"), arguments)

    return FLOAT(FLOAT), generate


@intrinsic
def sums(typing_context, value):
    """The sum of each group: of pairs of lanes, of pairs of these, and so on."""

    def generate(context, builder, sig, arguments):
        vector = _folded(builder, arguments[0], (4, 2, 1))
        return context.make_tuple(
            builder, sig.return_type, [builder.extract_element(vector, _INT32(i)) for i in (0, GROUP)]
        )

    return types.UniTuple(types.float32, 2)(FLOAT), generate


@intrinsic
def write_colours(typing_context, row, first, second, red, green, blue):
    """Write floats of [0, 256), cut to bytes, as RGB to a flat array: one group from `first` on, one from `second`."""

    def generate(context, builder, sig, arguments):
        row, first, second, *colours = arguments
        whole = ir.VectorType(_INT32, LANES)
        red, green, blue = (builder.fptosi(colour, whole) for colour in colours)
        pixels = builder.or_(red, builder.shl(green, ir.Constant(whole, [8] * LANES)))
        pixels = builder.or_(pixels, builder.shl(blue, ir.Constant(whole, [16] * LANES)))
        # Bytes are moved within registers of sixteen: of others, compilers take each byte alone.
        four, eight = ir.VectorType(_INT8, LANES), ir.VectorType(ir.IntType(64), 2)
        order = [i for i in range(2 * LANES) if i % 4 != 3]
        for at, start in ((first, 0), (second, GROUP)):
            left, right = (
                builder.bitcast(builder.shuffle_vector(pixels, pixels, _order(range(i, i + 4))), four)
                for i in (start, start + 4)
            )
            most = builder.shuffle_vector(left, right, _order(order[:LANES]))
            rest = builder.bitcast(builder.shuffle_vector(left, right, _order(order[LANES:] * 2)), eight)
            builder.store(most, _address(context, builder, sig.args[0], row, at, four), align=1)
            rest, at = builder.extract_element(rest, _INT32(0)), builder.add(at, at.type(LANES))
            builder.store(rest, _address(context, builder, sig.args[0], row, at, rest.type), align=1)
        return context.get_dummy_value()

    return types.none(row, types.intp, types.intp, FLOAT, FLOAT, FLOAT), generate
