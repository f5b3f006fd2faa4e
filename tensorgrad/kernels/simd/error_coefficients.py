"""The coefficients of rational approximations of erf.

    erf x = x · T(x²)/U(x²)           for 0 ≤ x < 1
    erf x = 1 − e^(−x²) · P(x)/Q(x)   for x ≥ 1

They are those of S. Moshier's Cephes library (ndtr.c), after W. J. Cody, Rational Chebyshev Approximations for the
Error Function, Mathematics of Computation 23, 1969. This file doesn't import numba: the JavaScript of playgrounds is
made from the coefficients, too.
"""

# The highest power first, as Horner's rule takes them.
_T = (
    9.60497373987051638749,
    90.0260197203842689217,
    2232.00534594684319226,
    7003.32514112805075473,
    55592.3013010394962768,
)
_U = (
    1.0,
    33.5617141647503099647,
    521.357949780152679795,
    4594.32382970980127987,
    22629.0000613890934246,
    49267.3942608635921086,
)
_P = (
    2.46196981473530512524e-10,
    0.564189564831068821977,
    7.46321056442269912687,
    48.6371970985681366614,
    196.520832956077098242,
    526.445194995477358631,
    934.528527171957607540,
    1027.55188689515710272,
    557.535335369399327526,
)
_Q = (
    1.0,
    13.2281951154744992508,
    86.7072140885989742329,
    354.937778887819891062,
    975.708501743205489753,
    1823.90916687909736289,
    2246.33760818710981792,
    1656.66309194161350182,
    557.535340817727675546,
)

NEAR, FAR = (_T, _U), (_P, _Q)
"""(numerator, denominator) of the approximation below 1, and of that from 1 on."""

FURTHEST = 7
"""erf x rounds to 1 in float64 from here on: 1 − erf 7 is 4e-23."""
