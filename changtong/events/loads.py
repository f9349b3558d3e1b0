"""Eight bytes of a buffer as one number, for the kernels that read text: little-endian, at any place."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from changtong.flows.trees import JIT

_U = np.uint64
ONES = _U(0x0101010101010101)
HIGH = _U(0x8080808080808080)


@intrinsic
def load(typingctx, buf, at):
    """Return ``buf[at : at + 8]``; the eight bytes must lie in the buffer."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        place = builder.gep(array.data, [args[1]])
        number = builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()))
        number.align = 1
        return number

    return types.uint64(buf, types.int64), codegen


@intrinsic
def _zeros_below(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), codegen


@njit(**JIT)
def first_byte(marks):
    """Return the place, 0 to 7, of the lowest byte marked by ``byte_is`` or ``byte_below``."""
    return np.int64(_zeros_below(marks) >> _U(3))


@njit(**JIT)
def byte_is(word, every):
    """Mark the bytes of ``word`` that are those of ``every``; above the lowest mark some may be false."""
    x = word ^ every
    return (x - ONES) & ~x & HIGH


@njit(**JIT)
def load_few(buf, at, n):
    """Return ``n`` bytes, 0 to 7, from ``at``; zeros above them."""
    if n == 0:
        return _U(0)
    if at + 8 <= buf.shape[0]:
        return load(buf, np.int64(at)) & ((_U(1) << _U(8 * n)) - _U(1))
    word = _U(0)
    for b in range(n):
        word |= _U(buf[at + b]) << _U(8 * b)
    return word


@njit(**JIT)
def same_bytes(one, at, other, there, n):
    """Return whether ``n`` bytes of two buffers are the same."""
    whole = n // 8
    for w in range(whole):
        if load(one, np.int64(at + 8 * w)) != load(other, np.int64(there + 8 * w)):
            return False
    rest = n - 8 * whole
    return load_few(one, at + 8 * whole, rest) == load_few(other, there + 8 * whole, rest)


@njit(**JIT)
def is_plain(buf, at, n):
    """Return whether ``n`` bytes are all printable ASCII."""
    done = 0
    while done < n:
        rest = n - done
        if rest >= 8:
            x = load(buf, np.int64(at + done))
            done += 8
        else:
            # what is not there counts as blanks
            x = load_few(buf, at + done, rest) | (_U(0x2020202020202020) << _U(8 * rest))
            done = n
        low = (x - ONES * _U(0x20)) & ~x
        if (x | low | byte_is(x, ONES * _U(0x7F))) & HIGH:
            return False
    return True
