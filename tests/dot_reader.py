"""What a DOT text says: its nodes and edges by the ids that they have in the SVG, with the words of their labels."""

import html
import re


def read(text):
    """The words of each node, and of each edge its two ends and its words."""
    nodes, edges = {}, {}
    for found in re.finditer(r'^\t+"?([\w-]+)"?(?: -> "?([\w-]+)"?)? \[(.*)\]$', text, re.MULTILINE):
        name, end, attributes = found.groups()
        if name in ("graph", "node", "edge"):
            continue
        words = words_of(attributes)
        if end is None:
            assert name not in nodes, f"{name} is declared once"
            nodes[name] = words
        else:
            id = re.search(r'\bid="?([\w-]+)', attributes)[1]
            assert id not in edges, f"{id} is drawn once"
            edges[id] = name, end, words
    return nodes, edges


def words_of(attributes):
    label = re.search(r"(?:^| )label=<(.*?)>(?= \w+=|$)", attributes)
    text = html.unescape(re.sub(r"<[^>]*>", " ", label[1])) if label else ""
    return " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())


DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−∞", "-0123456789-∞")


def numbers_after(mark, words):
    """The numbers that follow a text, as floats: `1.2·10⁻⁵`, `NaN`, `−∞`."""
    found = re.findall(rf"{re.escape(mark)} (−?\d[\d.e·⁻⁰¹²³⁴⁵⁶⁷⁸⁹−]*|−?∞|NaN)", words)
    return [float(text.translate(DIGITS).replace("·10", "e").replace("∞", "inf")) for text in found]
