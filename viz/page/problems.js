// Problems: what the drawing marks as vanishing, dead, NaN …, visited one after the other.

const problems = dataOf("problems", null) ?? [];
let visitedProblem = -1;

function startProblems() {
  const count = problems.length;
  find("problem").textContent = count === 1 ? "1 problem" : `${count} problems`;
  find("problem").hidden = find("key-n").hidden = count === 0;
  find("problem").addEventListener("click", () => visitProblem(1));
}

/** Go to the next problem, or the one before, and say what it is, its cause and what helps. */
function visitProblem(direction) {
  const count = problems.length;
  if (!count) return;
  visitedProblem = visitedProblem < 0 ? (direction < 0 ? count - 1 : 0) : (visitedProblem + direction + count) % count;
  const problem = problems[visitedProblem];
  fillDetails([
    element("h2", {}, `Problem ${visitedProblem + 1} of ${count} `, element("small", {}, problem.path)),
    element("p", { class: "problem-text", role: "status" }, problem.text),
    problem.cause && line(problem.cause),
    problem.remedy && line(`→ ${problem.remedy}`),
    line(jump(problem.op, "The op and its numbers")),
  ]);
  find("details").dataset.of = problem.op;
  const place = placeOfProblem(problem);
  markOnly("chosen", [place].filter(Boolean));
  if (place) revealWhole(place);
}

/** The part that has the mark: an op, a tensor, a module; else the box that holds the op. */
function placeOfProblem({ where, op }) {
  return (modulesById.has(where) ? shownAt(where) : placeOf(where)) ?? placeOf(op);
}

/** Move a part into the view, of one that is larger than the view the beginning. */
function revealWhole(part) {
  const { placed } = part;
  if ((placed.bottom - placed.top) * view.scale > view.frame.height) revealTop(part);
  else reveal(part);
}
