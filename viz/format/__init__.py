"""How records are written: formulas, documents, terminal text, the theme."""
