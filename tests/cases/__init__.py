"""The one table of op cases. Adding an op means adding its row to the family's file here; the tests follow."""

import importlib
import pkgutil

from cases.table import Case, Row

FAMILIES = [importlib.import_module(f"cases.{module.name}") for module in pkgutil.iter_modules(__path__)]
ROWS: list[Row] = [row for family in FAMILIES for row in vars(family).get("ROWS", ())]
CASES: list[Case] = [Case(row, number) for row in ROWS for number in range(len(row.samples))]
