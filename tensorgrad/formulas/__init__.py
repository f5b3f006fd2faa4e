"""Formulas as expressions, which a plain Python function gives for symbols, and the text and programs made of them."""
