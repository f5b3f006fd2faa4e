"""A tensor's methods: `x.sum(0)` is `tg.sum(x, 0)`. To make a function of tensors a method, add a line here."""

from tensorgrad.ops import indexing, joining, linear, operands, reductions, shapes, softmax as softmaxes
from tensorgrad.ops.elementwise import (
    activations,
    angles,
    arithmetic,
    choice,
    closeness,
    comparison,
    floating,
    logarithms,
    piecewise,
    rounding,
    special,
    transcendental,
)
from tensorgrad.ops.layout import diagonals, differences, properties, repeats, sections, views
from tensorgrad.ops.linalg import (
    added_products,
    determinants,
    equations,
    least_squares,
    norms,
    older,
    products as matrices,
)
from tensorgrad.ops.ordering import quantiles, searching, sorting
from tensorgrad.ops.products import contractions
from tensorgrad.ops.reduce import dispersion, extremes
from tensorgrad.ops.sampling import filled, samples
from tensorgrad.ops.selection import masks, parts, scatter as scattering, select as selecting
from tensorgrad.ops.statistics import cumulative, moments


class Methods:
    """The ops' public functions, with the tensor as first argument."""

    __slots__ = ()

    astype = operands.astype
    clone = shapes.clone

    # ------------------------------------------------------------------------------------------------------ elementwise
    abs = arithmetic.abs
    absolute = arithmetic.absolute
    acos = transcendental.acos
    acosh = transcendental.acosh
    add = arithmetic.add
    arccos = transcendental.arccos
    arccosh = transcendental.arccosh
    arcsin = transcendental.arcsin
    arcsinh = transcendental.arcsinh
    arctan = transcendental.arctan
    arctanh = transcendental.arctanh
    asin = transcendental.asin
    asinh = transcendental.asinh
    atan = transcendental.atan
    atanh = transcendental.atanh
    ceil = rounding.ceil
    clamp = choice.clamp
    clamp_max = choice.clamp_max
    clamp_min = choice.clamp_min
    clip = choice.clip
    cos = transcendental.cos
    cosh = transcendental.cosh
    div = arithmetic.div
    divide = arithmetic.divide
    erf = transcendental.erf
    exp = transcendental.exp
    expm1 = transcendental.expm1
    floor = rounding.floor
    floor_divide = arithmetic.floor_divide
    log = transcendental.log
    log1p = transcendental.log1p
    log2 = transcendental.log2
    maximum = choice.maximum
    minimum = choice.minimum
    mul = arithmetic.mul
    multiply = arithmetic.multiply
    neg = arithmetic.neg
    negative = arithmetic.negative
    pow = arithmetic.pow
    reciprocal = transcendental.reciprocal
    prelu = piecewise.prelu
    relu = activations.relu
    remainder = arithmetic.remainder
    round = rounding.round
    sigmoid = activations.sigmoid
    sign = rounding.sign
    sin = transcendental.sin
    sinh = transcendental.sinh
    sqrt = transcendental.sqrt
    square = arithmetic.square
    sub = arithmetic.sub
    subtract = arithmetic.subtract
    tan = transcendental.tan
    tanh = transcendental.tanh
    true_divide = arithmetic.true_divide
    exp2 = logarithms.exp2
    log10 = logarithms.log10
    logaddexp = logarithms.logaddexp
    logaddexp2 = logarithms.logaddexp2
    rsqrt = logarithms.rsqrt
    atan2 = angles.atan2
    arctan2 = angles.arctan2
    hypot = angles.hypot
    hardshrink = piecewise.hardshrink
    trunc = rounding.trunc
    fix = rounding.fix
    isinf = closeness.isinf
    isposinf = closeness.isposinf
    isneginf = closeness.isneginf
    isclose = closeness.isclose
    allclose = closeness.allclose
    logical_xor = closeness.logical_xor
    where = choice.where_method

    # ------------------------------------------------------------------------------------------------ comparison, logic
    bitwise_and = comparison.bitwise_and
    bitwise_not = comparison.bitwise_not
    bitwise_or = comparison.bitwise_or
    bitwise_xor = comparison.bitwise_xor
    eq = comparison.eq
    equal = comparison.equal
    ge = comparison.ge
    greater = comparison.greater
    greater_equal = comparison.greater_equal
    gt = comparison.gt
    isfinite = comparison.isfinite
    isnan = comparison.isnan
    le = comparison.le
    less = comparison.less
    less_equal = comparison.less_equal
    logical_and = comparison.logical_and
    logical_not = comparison.logical_not
    logical_or = comparison.logical_or
    lt = comparison.lt
    ne = comparison.ne
    not_equal = comparison.not_equal

    # ------------------------------------------------------------------------------------------------ reductions, along
    all = reductions.all
    amax = extremes.amax
    amin = extremes.amin
    aminmax = extremes.aminmax
    any = reductions.any
    argmax = extremes.argmax
    argmin = extremes.argmin
    cumsum = reductions.cumsum
    gather = indexing.gather
    log_softmax = softmaxes.log_softmax
    logsumexp = reductions.logsumexp
    matmul = linear.matmul
    max = extremes.max
    mean = reductions.mean
    min = extremes.min
    prod = reductions.prod
    softmax = softmaxes.softmax
    std = dispersion.std
    sum = reductions.sum
    var = dispersion.var

    # ----------------------------------------------------------------------------------------------------------- shapes
    broadcast_to = shapes.broadcast_to
    expand = shapes.expand
    flatten = shapes.flatten
    flip = shapes.flip
    moveaxis = shapes.moveaxis
    movedim = shapes.movedim
    permute = shapes.permute
    reshape = shapes.reshape
    split = joining.split_method
    squeeze = shapes.squeeze
    swapaxes = shapes.swapaxes
    swapdims = shapes.swapdims
    t = shapes.t
    transpose = shapes.transpose
    unsqueeze = shapes.unsqueeze
    view = views.view
    view_as = views.view_as
    reshape_as = views.reshape_as
    expand_as = views.expand_as
    is_contiguous = views.is_contiguous
    contiguous = views.contiguous
    ravel = views.ravel
    select = views.select
    narrow = views.narrow
    unbind = views.unbind
    chunk = views.chunk
    tensor_split = sections.tensor_split
    hsplit = sections.hsplit
    vsplit = sections.vsplit
    dsplit = sections.dsplit
    unflatten = views.unflatten
    unfold = views.unfold
    repeat = repeats.repeat
    tile = repeats.tile
    repeat_interleave = repeats.repeat_interleave
    roll = repeats.roll
    rot90 = repeats.rot90
    fliplr = repeats.fliplr
    flipud = repeats.flipud
    diag = diagonals.diag
    diag_embed = diagonals.diag_embed
    diagflat = diagonals.diagflat
    diagonal = diagonals.diagonal
    trace = diagonals.trace
    tril = diagonals.tril
    triu = diagonals.triu
    diff = differences.diff
    is_floating_point = properties.is_floating_point

    # -------------------------------------------------------------------------------------------------------- selection
    index_select = selecting.index_select
    masked_select = selecting.masked_select
    nonzero = selecting.nonzero
    argwhere = selecting.argwhere
    take = selecting.take
    take_along_dim = selecting.take_along_dim
    masked_fill = masks.masked_fill
    masked_scatter = masks.masked_scatter
    scatter = scattering.scatter
    scatter_add = scattering.scatter_add
    scatter_reduce = scattering.scatter_reduce
    index_add = parts.index_add
    index_copy = parts.index_copy
    index_fill = parts.index_fill
    index_put = parts.index_put

    # --------------------------------------------------------------------------------------------------------- products
    mm = contractions.mm
    bmm = contractions.bmm
    mv = contractions.mv
    dot = contractions.dot
    outer = contractions.outer
    ger = contractions.ger
    inner = contractions.inner
    norm = older.norm

    # ------------------------------------------------------------------------------------- floats and special functions
    addcdiv = floating.addcdiv
    addcmul = floating.addcmul
    copysign = floating.copysign
    deg2rad = floating.deg2rad
    float_power = floating.float_power
    fmax = floating.fmax
    fmin = floating.fmin
    fmod = floating.fmod
    frac = floating.frac
    heaviside = floating.heaviside
    lerp = floating.lerp
    nan_to_num = floating.nan_to_num
    rad2deg = floating.rad2deg
    signbit = floating.signbit
    digamma = special.digamma
    erfc = special.erfc
    erfinv = special.erfinv
    lgamma = special.lgamma
    logit = special.logit
    mvlgamma = special.mvlgamma
    polygamma = special.polygamma_method
    sinc = special.sinc
    xlogy = special.xlogy

    # --------------------------------------------------------------------------------------------- sorting and counting
    argsort = sorting.argsort
    kthvalue = sorting.kthvalue
    median = sorting.median
    mode = sorting.mode
    msort = sorting.msort
    nanmedian = sorting.nanmedian
    sort = sorting.sort
    topk = sorting.topk
    nanquantile = quantiles.nanquantile
    quantile = quantiles.quantile
    bincount = searching.bincount
    histc = searching.histc
    unique = searching.unique
    unique_consecutive = searching.unique_consecutive

    # ------------------------------------------------------------------------------------------------------- statistics
    cummax = cumulative.cummax
    cummin = cumulative.cummin
    cumprod = cumulative.cumprod
    logcumsumexp = cumulative.logcumsumexp
    corrcoef = moments.corrcoef
    count_nonzero = moments.count_nonzero
    cov = moments.cov
    nanmean = moments.nanmean
    nansum = moments.nansum

    # --------------------------------------------------------------------------------------------------- linear algebra
    addbmm = added_products.addbmm
    addmm = added_products.addmm
    addmv = added_products.addmv
    addr = added_products.addr
    baddbmm = added_products.baddbmm
    cross = matrices.cross
    kron = matrices.kron
    matrix_power = matrices.matrix_power
    vdot = matrices.vdot
    det = determinants.det
    logdet = determinants.logdet
    slogdet = determinants.slogdet
    inverse = equations.inverse
    pinverse = least_squares.pinverse
    cholesky = older.cholesky
    qr = older.qr
    svd = older.svd
    dist = norms.dist
    renorm = norms.renorm
    # ------------------------------------------------------------------------------------------------------ new tensors
    new_empty = filled.new_empty
    new_zeros = filled.new_zeros
    new_ones = filled.new_ones
    new_full = filled.new_full
    new_tensor = filled.new_tensor
    bernoulli = samples.bernoulli
    multinomial = samples.multinomial
