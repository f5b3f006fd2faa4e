"""A tensor's methods: `x.sum(0)` is `tg.sum(x, 0)`. To make a function of tensors a method, add a line here."""

from tensorgrad.ops import joining, operands, reductions, shapes, softmax as softmaxes
from tensorgrad.ops.elementwise import activations, arithmetic, transcendental


class Methods:
    """The ops' public functions, with the tensor as first argument."""

    __slots__ = ()

    astype = operands.astype
    clone = shapes.clone

    # ------------------------------------------------------------------------------------------------------ elementwise
    pow = arithmetic.pow
    square = arithmetic.square
    abs = arithmetic.abs
    sign = arithmetic.sign
    clip = arithmetic.clip
    exp = transcendental.exp
    log = transcendental.log
    sqrt = transcendental.sqrt
    sin = transcendental.sin
    cos = transcendental.cos
    tanh = transcendental.tanh
    relu = activations.relu
    sigmoid = activations.sigmoid

    # ------------------------------------------------------------------------------------------------------- reductions
    softmax = softmaxes.softmax
    log_softmax = softmaxes.log_softmax
    sum = reductions.sum
    mean = reductions.mean
    var = reductions.var
    std = reductions.std
    max = reductions.max
    min = reductions.min
    prod = reductions.prod
    logsumexp = reductions.logsumexp
    all = reductions.all
    any = reductions.any
    cumsum = reductions.cumsum
    argmax = reductions.argmax
    argmin = reductions.argmin

    # ----------------------------------------------------------------------------------------------------------- shapes
    reshape = shapes.reshape
    flatten = shapes.flatten
    transpose = shapes.transpose
    permute = shapes.transpose
    swapaxes = shapes.swapaxes
    broadcast_to = shapes.broadcast_to
    expand = shapes.expand
    squeeze = shapes.squeeze
    unsqueeze = shapes.unsqueeze
    flip = shapes.flip
    split = joining.split
