// Events: what buttons and keys do.

const KEYS = {
  s: () => descend(1),
  r: reset,
  m: () => (measureFrom(), show()),
};

/** Show all numbers as they are now. */
function show() {
  paintGraph();
  paintPanel();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input")) return;
  const action = KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
}

function start() {
  const count = free.reduce((sum, { slots }) => sum + slots.length, 0);
  find("facts").textContent = `${program.stages.length} ops, ${count.toLocaleString("en")} numbers to change`;
  compute();
  measureFrom();
  chosen.tensor = trained[0] ?? free[0];
  startGraph();
  startPanel();
  startView();
  showBeginning();
  const buttons = { step: KEYS.s, steps: () => descend(10), reset, from: KEYS.m, "zoom-in": () => zoom(1.25), "zoom-out": () => zoom(0.8), fit };
  for (const [id, action] of Object.entries(buttons)) find(id).addEventListener("click", action);
  addEventListener("keydown", onKey);
  show();
}

start();
