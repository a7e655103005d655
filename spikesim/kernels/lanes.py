"""Sixteen pixels at once: the vector type that the sensor's kernels are written in.

A compiler left to guess takes vectors half as wide as the processor has, and makes bytes of comparisons before it makes
bits. Here a kernel says what it means in LLVM's own vectors of sixteen, which every processor's back end cuts to its
size: one register of AVX-512, two of AVX, four of SSE or NEON.

Operators act lane by lane, on lanes of one type or on lanes and a plain number, which then stands in every lane. None
is fused with another, so that all processors round alike. A mask is lanes of booleans.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import (
    alloca_once_value,
    for_range,
    get_item_pointer,
    get_or_insert_function,
    unpack_tuple,
)
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model

LANES = 16

_BOOL, _BITS = ir.IntType(1), ir.IntType(LANES)
_INT32 = ir.IntType(32)


class Lanes(types.Type):
    """Sixteen numbers of one type."""

    def __init__(self, number: types.Type) -> None:
        self.number = number
        super().__init__(name=f"Lanes({number})")

    @property
    def vector(self) -> ir.VectorType:
        """The type of LLVM's."""
        if self.number == types.boolean:
            return ir.VectorType(ir.IntType(1), LANES)
        return ir.VectorType(
            ir.FloatType() if self.number == types.float32 else ir.IntType(self.number.bitwidth), LANES
        )


FLOAT, INT, WORD, LONG_WORD = (Lanes(number) for number in (types.float32, types.int32, types.uint32, types.uint64))
MASK = Lanes(types.boolean)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, lanes.vector)


@lower_cast(types.Number, Lanes)
@lower_cast(types.IntegerLiteral, Lanes)
def _spread(context: Any, builder: Any, number: types.Type, lanes: Lanes, value: Any) -> ir.Value:
    """A number in every lane."""
    value = context.cast(builder, value, number, lanes.number)
    one = builder.insert_element(ir.Constant(lanes.vector, ir.Undefined), value, _INT32(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES))


def _operator(symbol: Any, make: Callable[[Any, types.Type, Any, Any], ir.Value], *, compares: bool = False) -> None:
    """Teach the compiler an operator; `make` gets the builder, the type of the numbers and two vectors."""

    @infer_global(symbol)
    class _Operator(AbstractTemplate):
        def generic(self, arguments: Any, keywords: Any) -> Any:
            kinds = {argument for argument in arguments if isinstance(argument, Lanes)}
            if len(kinds) != 1 or not all(isinstance(argument, Lanes | types.Number) for argument in arguments):
                return None
            (lanes,) = kinds
            return signature(MASK if compares else lanes, lanes, lanes)

    @lower_builtin(symbol, Lanes, Lanes)
    def _lower(context: Any, builder: Any, sig: Any, arguments: Any) -> ir.Value:
        return make(builder, sig.args[0].number, *arguments)


def _arithmetic(floats: str, integers: str) -> Callable[..., ir.Value]:
    return lambda builder, number, a, b: getattr(builder, floats if number == types.float32 else integers)(a, b)


def _comparison(sign: str) -> Callable[..., ir.Value]:
    def make(builder: Any, number: types.Type, a: Any, b: Any) -> ir.Value:
        if number == types.float32:
            return builder.fcmp_ordered(sign, a, b)
        return (builder.icmp_signed if number.signed else builder.icmp_unsigned)(sign, a, b)

    return make


_operator(operator.add, _arithmetic("fadd", "add"))
_operator(operator.sub, _arithmetic("fsub", "sub"))
_operator(operator.mul, _arithmetic("fmul", "mul"))
_operator(operator.truediv, lambda builder, number, a, b: builder.fdiv(a, b))
_operator(operator.and_, lambda builder, number, a, b: builder.and_(a, b))
_operator(operator.or_, lambda builder, number, a, b: builder.or_(a, b))
_operator(operator.xor, lambda builder, number, a, b: builder.xor(a, b))
_operator(operator.lshift, lambda builder, number, a, b: builder.shl(a, b))
_operator(operator.rshift, lambda builder, number, a, b: (builder.ashr if number.signed else builder.lshr)(a, b))
for _symbol, _sign in ((operator.lt, "<"), (operator.ge, ">="), (operator.gt, ">"), (operator.eq, "==")):
    _operator(_symbol, _comparison(_sign), compares=True)


def _place(context: Any, builder: Any, kind: Any, array: Any, place: Any, indices: Any) -> ir.Value:
    """Pointer to an element of an array."""
    view = context.make_array(kind)(context, builder, array)
    return get_item_pointer(context, builder, kind, view, unpack_tuple(builder, place, len(indices)))


def _at(array: Any) -> types.UniTuple:
    return types.UniTuple(types.intp, array.ndim)


@intrinsic
def load(typing_context: Any, array: Any, place: Any, count: Any) -> Any:
    """`count` elements from a place, a tuple of indices, of an array whose rows lie in one piece; other lanes are 0."""
    lanes = Lanes(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> ir.Value:
        first = _place(context, builder, sig.args[0], *arguments[:2], sig.args[1])

        def whole() -> ir.Value:
            return builder.load(builder.bitcast(first, lanes.vector.as_pointer()), align=1)

        def part() -> ir.Value:
            some = alloca_once_value(builder, ir.Constant(lanes.vector, None))
            with for_range(builder, arguments[2]) as loop:
                number = builder.load(builder.gep(first, [loop.index]))
                builder.store(builder.insert_element(builder.load(some), number, loop.index), some)
            return builder.load(some)

        return _either(builder, _all(builder, arguments[2]), whole, part)

    return lanes(array, _at(array), types.intp), generate


@intrinsic
def store(typing_context: Any, array: Any, place: Any, count: Any, value: Any) -> Any:
    """Write the first `count` lanes to an array from a place, a tuple of indices, on; its rows lie in one piece."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> ir.Value:
        _, _, count, vector = arguments
        first = _place(context, builder, sig.args[0], *arguments[:2], sig.args[1])
        with builder.if_else(_all(builder, count)) as (whole, part):
            with whole:
                builder.store(vector, builder.bitcast(first, vector.type.as_pointer()), align=1)
            with part, for_range(builder, count) as loop:
                builder.store(builder.extract_element(vector, loop.index), builder.gep(first, [loop.index]))
        return context.get_dummy_value()

    return types.none(array, _at(array), types.intp, Lanes(array.dtype)), generate


@intrinsic
def prefetch(typing_context: Any, array: Any, place: Any) -> Any:
    """Ask for a place, a tuple of indices, of an array to be in the cache soon; it need not be inside the array."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> ir.Value:
        first = _place(context, builder, sig.args[0], *arguments, sig.args[1])
        kind = ir.FunctionType(ir.VoidType(), [first.type, _INT32, _INT32, _INT32])
        function = get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [first, _INT32(0), _INT32(3), _INT32(1)])  # to be read, often, as data
        return context.get_dummy_value()

    return types.none(array, _at(array)), generate


@intrinsic
def store_four(typing_context: Any, array: Any, lanes: Any) -> Any:
    """Write a tuple of four lanes to an array (64,), one after the other."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> ir.Value:
        first = context.make_array(sig.args[0])(context, builder, arguments[0]).data
        for i, vector in enumerate(unpack_tuple(builder, arguments[1], 4)):
            place = builder.gep(first, [_INT32(i * LANES)])
            builder.store(vector, builder.bitcast(place, vector.type.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.none(array, types.UniTuple(Lanes(array.dtype), 4)), generate


@intrinsic
def load_bits(typing_context: Any, packed: Any, place: Any, count: Any) -> Any:
    """The mask of `count` bits from a byte, whose place is a tuple of indices, on; the first bit is the lowest."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> ir.Value:
        first = _place(context, builder, sig.args[0], *arguments[:2], sig.args[1])
        bits = _either(
            builder,
            _two_bytes(builder, arguments[2]),
            lambda: builder.load(builder.bitcast(first, _BITS.as_pointer()), align=1),
            lambda: builder.zext(builder.load(first), _BITS),
        )
        return builder.bitcast(bits, MASK.vector)

    return MASK(packed, _at(packed), types.intp), generate


@intrinsic
def store_bits(typing_context: Any, packed: Any, place: Any, count: Any, mask: Any) -> Any:
    """Write the first `count` lanes of a mask as bits, from a byte, whose place is a tuple of indices, on."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> ir.Value:
        _, _, count, mask = arguments
        first = _place(context, builder, sig.args[0], *arguments[:2], sig.args[1])
        unused = builder.trunc(builder.sub(count.type(LANES), count), _BITS)
        bits = builder.and_(builder.bitcast(mask, _BITS), builder.lshr(_BITS(-1), unused))
        with builder.if_else(_two_bytes(builder, count)) as (two, one):
            with two:
                builder.store(bits, builder.bitcast(first, _BITS.as_pointer()), align=1)
            with one:
                builder.store(builder.trunc(bits, ir.IntType(8)), first)
        return context.get_dummy_value()

    return types.none(packed, _at(packed), types.intp, MASK), generate


def _either(builder: Any, condition: ir.Value, yes: Callable[[], ir.Value], no: Callable[[], ir.Value]) -> ir.Value:
    """The value that one of two pieces of code gives, of which only that one is run."""
    with builder.if_else(condition) as (if_yes, if_no):
        with if_yes:
            first = yes()
            after_yes = builder.block
        with if_no:
            second = no()
            after_no = builder.block
    value = builder.phi(first.type)
    value.add_incoming(first, after_yes)
    value.add_incoming(second, after_no)
    return value


def _all(builder: Any, count: ir.Value) -> ir.Value:
    return builder.icmp_signed("==", count, count.type(LANES))


def _two_bytes(builder: Any, count: ir.Value) -> ir.Value:
    return builder.icmp_signed(">", count, count.type(8))


def _function(takes: types.Type, gives: types.Type, make: Callable[[Any, ir.Value], ir.Value], text: str) -> Any:
    """A function of kernels on one value."""

    def typed(typing_context: Any, value: Any) -> Any:
        return gives(takes), lambda context, builder, sig, arguments: make(builder, arguments[0])

    typed.__doc__ = text
    return intrinsic(typed)


def _llvm(name: str) -> Callable[[Any, ir.Value], ir.Value]:
    """A function of LLVM's on a vector of float32."""

    def make(builder: Any, vector: ir.Value) -> ir.Value:
        kind = ir.FunctionType(vector.type, [vector.type])
        return builder.call(get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32"), [vector])

    return make


def _plus_lane_number(builder: Any, vector: ir.Value) -> ir.Value:
    return builder.add(vector, ir.Constant(vector.type, list(range(LANES))))


square_root = _function(FLOAT, FLOAT, _llvm("sqrt"), "The square root.")
floor = _function(FLOAT, FLOAT, _llvm("floor"), "The greatest whole number that is not greater.")
bytes_to_float = _function(
    Lanes(types.uint8), FLOAT, lambda b, v: b.uitofp(v, FLOAT.vector), "Bytes as float32, which is exact."
)
int_to_float = _function(INT, FLOAT, lambda b, v: b.sitofp(v, FLOAT.vector), "The nearest float32.")
view_float = _function(INT, FLOAT, lambda b, v: b.bitcast(v, FLOAT.vector), "float32 of these bits.")
view_int = _function(FLOAT, INT, lambda b, v: b.bitcast(v, INT.vector), "The bits of float32 as int32.")
view_word = _function(FLOAT, WORD, lambda b, v: b.bitcast(v, WORD.vector), "The bits of float32 as uint32.")
word_to_int = _function(WORD, INT, lambda b, v: v, "The bits of uint32 as int32.")
low_word = _function(LONG_WORD, WORD, lambda b, v: b.trunc(v, WORD.vector), "The lower half of uint64.")
float_lanes = _function(FLOAT, FLOAT, lambda b, v: v, "A number in every lane.")
long_words = _function(LONG_WORD, LONG_WORD, lambda b, v: v, "A number in every lane.")
numbered = _function(LONG_WORD, LONG_WORD, _plus_lane_number, "A number, in the next lane the next one, and so on.")
bits_of = _function(MASK, types.uint16, lambda b, v: b.bitcast(v, _BITS), "A mask as bits, the first lane lowest.")
mask_of = _function(types.uint16, MASK, lambda b, v: b.bitcast(v, MASK.vector), "The mask of such bits.")


@intrinsic
def rarely_any(typing_context: Any, mask: Any) -> Any:
    """Whether a lane is set; the compiler lays the code out for none, and keeps its registers for that."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> ir.Value:
        bits = builder.bitcast(arguments[0], _BITS)
        kind = ir.FunctionType(_BOOL, [_BOOL, _BOOL])
        expect = get_or_insert_function(builder.module, kind, "llvm.expect.i1")
        return builder.call(expect, [builder.icmp_unsigned("!=", bits, _BITS(0)), _BOOL(0)])

    return types.boolean(MASK), generate


@intrinsic
def choose(typing_context: Any, mask: Any, yes: Any, no: Any) -> Any:
    """`yes` in the lanes of the mask, `no` in the others; each may be a number."""
    lanes = next((kind for kind in (yes, no) if isinstance(kind, Lanes)), None) or Lanes(yes)
    return lanes(MASK, lanes, lanes), lambda context, builder, sig, arguments: builder.select(*arguments)


@intrinsic
def remainder(typing_context: Any, value: Any, divisor: Any) -> Any:
    """`value` modulo `divisor` with the sign of `value`, exactly, as fmod."""
    return FLOAT(FLOAT, FLOAT), lambda context, builder, sig, arguments: builder.frem(*arguments)
