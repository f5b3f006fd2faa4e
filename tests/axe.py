"""axe-core, which audits a page for accessibility; `make` installs it beside the Python that runs the tests."""

import sys
from pathlib import Path

import pytest
from browser import play

SOURCE = Path(sys.prefix, "node_modules", "axe-core", "axe.min.js")
needs_axe = pytest.mark.skipif(not SOURCE.exists(), reason="axe-core is not installed: make .venv/ready")

AUDIT = """
  const messages = ({ any, all, none }) => [...any, ...all, ...none].map(({ message }) => message);
  const told = (node) => [node.target.join(" "), ...messages(node)];
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.map(({ id, impact, nodes }) => [id, impact, nodes.map(told)]);
"""


def audit(page, folder, before="", **options):
    """What axe finds: the rule, its impact, and each element with what is wrong; `before` brings the page into a state.

    The options are those of `play`.
    """
    return play(page, f"{SOURCE.read_text(encoding='utf-8')}\n{before}\n{AUDIT}", folder, **options)
