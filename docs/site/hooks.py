"""What mkdocs does besides its own: the API reference, pages for the sources that docs link to, the root's pages."""

from __future__ import annotations

import html
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import public
import stubs

DOCS, ROOT = HERE.parent, HERE.parent.parent
STUBS = ROOT / "out" / "reference"
FROM_ROOT = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md",
             "CODE_OF_CONDUCT.md": "conduct.md"}  # fmt: skip
"""Pages of the repository's root, and what they are called on the site."""
LINK = re.compile(r"(\]\()([^)\s:#]+)((?:#[^)\s]*)?\))")
AS_THEY_ARE = {".ipynb"}
"""Files that a link downloads; others are shown on a page."""
LANGUAGES = {".py": "python", ".toml": "toml", ".md": "markdown", ".js": "javascript", ".txt": "text"}


def on_startup(**_: Any) -> None:
    """Write the sources of the reference anew, before mkdocstrings looks whether their folder is there."""
    shutil.rmtree(STUBS, ignore_errors=True)
    stubs.write(public.pages(), STUBS)


def on_files(files: Files, config: Any) -> Files:
    """Add the reference, the pages of the root, and the sources that any page links to."""
    pages = public.pages()
    made = {page.uri: _reference(page) for page in pages}
    made["reference/index.md"] = _overview(pages)
    made |= {
        uri: (ROOT / name).read_text(encoding="utf-8") for name, uri in FROM_ROOT.items() if (ROOT / name).exists()
    }
    for uri, content in made.items():
        files.append(File.generated(config, uri, content=content))
    for path in sorted(_linked_sources(files)):
        if path.suffix in AS_THEY_ARE:
            files.append(File.generated(config, _source_uri(path), abs_src_path=str(path)))
        else:
            files.append(File.generated(config, _source_uri(path), content=_source(path)))
    _add_to_navigation(config, pages)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn links to files outside of docs into links to their pages; let the search find short answers first."""
    if page.file.src_uri == "how-to.md":
        page.meta["search"] = {"boost": 3}
    folder = _origin(page.file)

    def site_link(found: re.Match[str]) -> str:
        path = _target(folder, found[2])
        if path is None:
            return found[0]
        uri = os.path.relpath(_site_uri(path), Path(page.file.src_uri).parent).replace(os.sep, "/")
        return f"{found[1]}{uri}{found[3]}"

    return LINK.sub(site_link, markdown)


def on_post_build(config: Any) -> None:
    """Check the built pages: each public name is an anchor of its page."""
    missing = []
    for page in public.pages():
        built = (Path(config.site_dir) / page.uri).with_suffix(".html").read_text(encoding="utf-8")
        anchors = set(re.findall(r'id="(tensorgrad[\w.]*)"', built))
        missing += [path for name in page.names for path in (name.path, *name.others) if path not in anchors]
    if missing:
        raise PluginError(f"{len(missing)} public names have no entry on their page: {', '.join(missing[:10])} …")


def _origin(file: File) -> Path:
    """The folder in the repository from which a page's links count."""
    if file.src_uri in FROM_ROOT.values():
        return ROOT
    return (DOCS / file.src_uri).parent


def _target(folder: Path, link: str) -> Path | None:
    """The file or folder of the repository that a link leads to, if a page of the site takes its place."""
    path = (folder / link).resolve()
    moved = not path.is_relative_to(DOCS) or folder == ROOT or path == DOCS / "gallery.py"
    return path if moved and path.exists() else None


def _site_uri(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    if path.is_relative_to(DOCS) and path.suffix != ".py":
        return path.relative_to(DOCS).as_posix()
    return FROM_ROOT.get(name, "index.md" if name == "README.md" else _source_uri(path))


def _source_uri(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    return f"source/{name}" if path.suffix in AS_THEY_ARE else f"source/{name}.md"


def _linked_sources(files: Files) -> set[Path]:
    found = set()
    for file in files.documentation_pages():
        for link in LINK.finditer(file.content_string):
            path = _target(_origin(file), link[2])
            if path is not None and _site_uri(path).startswith("source/"):
                found.add(path)
    return found


def _source(path: Path) -> str:
    """A page with a file of the repository, or with the list of a folder's files."""
    name = path.relative_to(ROOT).as_posix()
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {name}\n\n"
    if path.is_dir():
        return head + "\n".join(f"- `{part.name}`" for part in sorted(path.iterdir()) if part.name[0] not in "_.")
    return f'{head}````{LANGUAGES.get(path.suffix, "text")} linenums="1"\n{path.read_text(encoding="utf-8")}\n````\n'


def _reference(page: public.Page) -> str:
    """A page of the reference: an entry for each function and class, a table of the constants."""
    module = ".".join(filter(None, (public.PACKAGE, page.module)))
    title = page.title if page.title != page.module else module
    doc = (public.load(page.module).__doc__ or "").strip().partition("\n\n")[0] if title == module else ""
    parts = [f"# {title}", " ".join(doc.split()), f"In `{module}`."]
    for name in page.names:
        if stubs.is_described(name):
            anchors = "".join(f'<a id="{html.escape(other)}"></a>' for other in name.others)
            parts.append(f"{anchors}\n\n::: {name.path}")
    constants = [name for name in page.names if not stubs.is_described(name)]
    if constants:
        rows = [f'| <a id="{name.path}"></a>`{name.path}` | `{_shown(name.value)}` |' for name in constants]
        parts.append("\n".join(["## Constants", "", "| name | value |", "|---|---|", *rows]))
    return "\n\n".join(filter(None, parts)) + "\n"


def _shown(value: Any) -> str:
    return repr(value).replace("|", "\\|")[:80]


def _overview(pages: list[public.Page]) -> str:
    """All pages of the reference, each with its names as links."""
    parts = ["# API reference", "Every public name, by module. `tg` is `tensorgrad`."]
    for page in pages:
        module = ".".join(filter(None, (public.PACKAGE, page.module)))
        title = f"{module}: {page.title}" if page.module in public.FAMILIES else module
        uri = page.uri.removeprefix("reference/")
        links = ", ".join(f"[`{name.path.rpartition('.')[2]}`]({uri}#{name.path})" for name in page.names)
        parts.append(f"## [{title}]({uri})\n\n{links}")
    return "\n\n".join(parts) + "\n"


def _add_to_navigation(config: Any, pages: list[public.Page]) -> None:
    """Add the reference, large modules as sections and small ones as pages, and pages that mkdocs.yml doesn't name."""
    entries: list[Any] = ["reference/index.md"]
    for page in pages:
        module = page.module or public.PACKAGE
        if page.module not in public.FAMILIES:
            entries.append({module: page.uri})
        elif isinstance(entries[-1], dict) and module in entries[-1]:
            entries[-1][module].append({page.title: page.uri})
        else:
            entries.append({module: [{page.title: page.uri}]})
    parts = {title: part for part in config.nav for title in part}
    parts["API reference"]["API reference"] = entries
    named = set(re.findall(r"[\w/-]+\.md", repr(config.nav)))
    parts["How-to"]["How-to"] += sorted(path.name for path in DOCS.glob("*.md") if path.name not in named)
