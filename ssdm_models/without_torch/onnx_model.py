"""ONNX models, as far as networks of convolutions need: nodes and weights in, the bytes of a model out.

A model is one message of Protocol Buffers. Its wire format is simple, and writing these few messages takes less than a
dependency on the package onnx and on a version of protobuf, over which installations of other frameworks disagree.

Source:
    onnx.proto of ONNX (Apache-2.0), whose field numbers these are; Protocol Buffers, "Encoding".
"""

from collections.abc import Mapping, Sequence

import numpy as np

_OPSET = 13
_IR_VERSION = 7
_FLOAT = 1  # TensorProto.DataType
_INT, _STRING, _INTS = 2, 3, 7  # AttributeProto.AttributeType

Attribute = int | str | Sequence[int]
Shapes = Mapping[str, Sequence[int]]


def node(operator: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> bytes:
    """A node of a graph, for `model`: an operator, the names of what it takes and of what it gives."""
    return b"".join(
        [
            *(_text(1, name) for name in inputs),
            _text(2, output),
            _text(4, operator),
            *(_message(5, _attribute(name, value)) for name, value in attributes.items()),
        ]
    )


def model(nodes: Sequence[bytes], weights: Mapping[str, np.ndarray], inputs: Shapes, outputs: Shapes) -> bytes:
    """The bytes of a model.

    Args:
        nodes: What `node` gives, in the order of computation.
        weights: Constants by name, float32.
        inputs, outputs: Shapes of what the graph takes and gives, float32, by name.
    """
    graph = b"".join(
        [
            *(_message(1, one) for one in nodes),
            _text(2, "network"),
            *(_message(5, _tensor(name, array)) for name, array in weights.items()),
            *(_message(11, _value(*each)) for each in inputs.items()),
            *(_message(12, _value(*each)) for each in outputs.items()),
        ]
    )
    return _number(1, _IR_VERSION) + _message(7, graph) + _message(8, _text(1, "") + _number(2, _OPSET))


def _attribute(name: str, value: Attribute) -> bytes:
    match value:
        case int():
            return _text(1, name) + _number(3, value) + _number(20, _INT)
        case str():
            return _text(1, name) + _text(4, value) + _number(20, _STRING)
    return _text(1, name) + b"".join(_number(8, each) for each in value) + _number(20, _INTS)


def _tensor(name: str, array: np.ndarray) -> bytes:
    sizes = b"".join(_number(1, size) for size in array.shape)
    return sizes + _number(2, _FLOAT) + _text(8, name) + _message(9, array.astype("<f4").tobytes())


def _value(name: str, shape: Sequence[int]) -> bytes:
    sizes = b"".join(_message(1, _number(1, size)) for size in shape)
    return _text(1, name) + _message(2, _message(1, _number(1, _FLOAT) + _message(2, sizes)))


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _message(field: int, content: bytes) -> bytes:
    """A field of bytes: a text, a tensor's numbers, or another message."""
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """A whole number ≥ 0, seven bits a byte, the lowest first."""
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
