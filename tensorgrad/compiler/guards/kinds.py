"""Kinds of values that a traversal meets: those without state, random generators, and wrappers of functions."""

from __future__ import annotations

import decimal
import fractions
import functools
import logging
import operator
import pathlib
import random
import re
import types

import numpy as np

from tensorgrad.autograd import modes
from tensorgrad.autograd.observer import Scope

STATELESS = (
    np.dtype, np.ufunc, np.generic, int, float, complex, str, bytes, range, re.Pattern, decimal.Decimal,
    fractions.Fraction, pathlib.PurePath, types.CodeType, types.GenericAlias, types.UnionType, types.EllipsisType,
    types.NotImplementedType, types.WrapperDescriptorType, types.MethodWrapperType, types.MethodDescriptorType,
    types.ClassMethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType, logging.Logger,
    operator.itemgetter, operator.attrgetter, operator.methodcaller, slice, Scope, modes.set_grad_enabled,
)  # fmt: skip

GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)

WRAPPERS = (
    staticmethod, classmethod, property, functools.cached_property, functools.partialmethod,
    type(functools.lru_cache(lambda: None)),
)  # fmt: skip
