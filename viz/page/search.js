// Search: matches are highlighted, and Enter goes from one match to the next.

let matches = [];
let visited = -1;

function search(query) {
  const wanted = query.trim().toLowerCase();
  matches = wanted ? [...graph.tensors, ...graph.ops].filter((record) => searchText(record).includes(wanted)) : [];
  visited = -1;
  markOnly("found", matches.map(({ id }) => placeOf(id)).filter(Boolean));
  find("matches").textContent = wanted ? `${matches.length} found` : "";
  if (matches.length) visit(1);
}

/** The text in which a tensor or an op is searched: names, formula, shape, value, modules, and what is wrong there. */
function searchText(record) {
  const modules = (record.scopes ?? []).map(([path, kind]) => `${path} ${kind}`);
  const numbers = record.shape ? valueOrShape(record) : "";
  const wrong = problems.filter(({ where, op }) => where === record.id || op === record.id).map(({ text }) => text);
  const texts = [record.name, record.symbol, record.kind, record.id, record.applied, numbers, ...modules, ...wrong];
  return texts.join(" ").toLowerCase();
}

function visit(direction) {
  if (!matches.length) return;
  visited = (visited + direction + matches.length) % matches.length;
  find("matches").textContent = `${visited + 1} of ${matches.length}`;
  const place = placeOf(matches[visited].id);
  if (place) reveal(place);
}
