// The sheet: a row for each question, marks in the drawing, the score.

const sheet = dataOf("sheet");
const blanks = sheet.blanks ?? [];
const isKey = sheet.key === true;
const rows = [];

const KINDS = {
  rule: "rule",
  value: "value",
  local: "local derivative",
  product: "product",
  sum: "sum of paths",
  shape: "shape",
};

function questionRow(blank, k) {
  const id = `answer-${k}`;
  const input = element("input", { id, type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: 200 });
  const equals = blank.kind === "shape" ? " " : " = ";
  const prompt = element("label", { for: id }, element("b", { class: "digit" }, String(blank.number)), " ", element("bdi", {}, blank.prompt), equals);
  const also = blank.also?.length ? `, also ${blank.also.join(", ")}` : "";
  const given = blank.given ? [", ", element("span", { class: "given" }, blank.given)] : "";
  const kind = element("small", {}, [KINDS[blank.kind], blank.about].filter(Boolean).join(": "), also, given);
  const says = element("p", { class: "says", role: "status" });
  const hint = element("button", { type: "button", class: "hint" }, "Hint");
  const done = element("button", { type: "button", class: "check" }, "Check");
  const row = element("li", { "data-kind": blank.kind }, element("div", { class: "asked" }, prompt, input), element("div", { class: "asked" }, kind, done, hint), says);
  const state = { blank, row, input, says, hint, hints: 0, is: "open" };
  if (isKey) show(state, "right");
  done.addEventListener("click", () => answer(state));
  hint.addEventListener("click", () => help(state));
  input.addEventListener("keydown", (event) => event.key === "Enter" && answer(state));
  input.addEventListener("focus", () => point(k));
  return state;
}

// ------------------------------------------------------------------------------------------------------------- answers

/** Check what is written; where it is right, go on to the next open question. */
function answer(state) {
  if (state.is === "right" || state.is === "shown") return;
  const verdict = check(state.blank, state.input.value);
  state.is = verdict.right ? "right" : verdict.unread ? "unread" : "wrong";
  show(state, state.is);
  say(state, verdict.right ? "Right." : verdict.says);
  if (verdict.right) goTo(rows.findIndex(({ is }) => is !== "right" && is !== "shown"));
}

/** Two hints, then the answer. */
function help(state) {
  const { blank, hint } = state;
  if (state.hints < blank.hints.length) {
    say(state, blank.hints[state.hints++]);
    hint.textContent = ["Hint", "Second hint", "Show answer"][state.hints];
  } else {
    state.is = "shown";
    show(state, "shown");
    say(state, "");
  }
  count();
}

function say(state, text) {
  state.says.textContent = text;
}

/** Show the state of a question, in its row and in the drawing. */
function show(state, is) {
  const { blank, row, input } = state;
  row.dataset.state = is;
  input.setAttribute("aria-invalid", is === "wrong" || is === "unread");
  if (is === "right" || is === "shown") {
    if (is === "shown" || isKey) input.value = blank.answer;
    input.readOnly = true;
    for (const mark of marksOf(blank)) {
      mark.classList.add("known");
      if (!isKey) mark.textContent = blank.answer;
    }
    for (const button of row.querySelectorAll("button")) button.hidden = true;
  }
  count();
}

function count() {
  const right = rows.filter(({ is }) => is === "right").length;
  const [hints, shown] = [rows.reduce((sum, row) => sum + row.hints, 0), rows.filter(({ is }) => is === "shown").length];
  const more = [hints && `${hints} ${hints === 1 ? "hint" : "hints"}`, shown && `${shown} shown`].filter(Boolean);
  find("score").textContent = isKey ? "Answers" : [`${right} of ${blanks.length} right`, ...more].join(", ");
  Object.assign(document.body.dataset, { right, hints, shown });
}

// --------------------------------------------------------------------------------------------------------- the drawing

function marksOf(blank) {
  return document.querySelectorAll(`.blank[data-blank="${blank.number}"]`);
}

/** Lead to a question; to none at −1. */
function goTo(k) {
  if (k < 0) return;
  rows[k].input.focus();
  point(k);
}

/** Mark the places of a question in the drawing, and bring the first into view. */
function point(k) {
  for (const mark of document.querySelectorAll(".blank.now")) mark.classList.remove("now");
  const marks = [...marksOf(blanks[k])];
  for (const mark of marks) mark.classList.add("now");
  const [box, frame] = [marks[0]?.getBoundingClientRect(), find("graph").getBoundingClientRect()];
  if (!box) return;
  if (box.top < frame.top || box.bottom > frame.bottom) find("graph").scrollTop += box.top - frame.top - frame.height / 2;
  if (box.left < frame.left || box.right > frame.right) find("graph").scrollLeft += box.left - frame.left - frame.width / 2;
}

function start() {
  rows.push(...blanks.map(questionRow));
  find("questions").replaceChildren(...rows.map(({ row }) => row));
  find("graph").addEventListener("click", (event) => {
    const mark = event.target.closest(".blank");
    if (mark) goTo(Number(mark.dataset.blank) - 1);
  });
  count();
}

start();
