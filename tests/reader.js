// What a test's script can do in a page: play the reader, and look.

const $ = (query) => document.querySelector(query);
const all = (query) => [...document.querySelectorAll(query)];
const ids = (query) => all(query).map((part) => part.id).sort();
const textOf = (query) => $(query)?.textContent ?? null;
const boxOf = (query) => $(query)?.getBoundingClientRect();
const isSeen = (query) => Boolean(boxOf(query)?.width);

const send = (target, event) => target.dispatchEvent(event);
const keyOf = (key) => new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
const press = (key, target = document.body) => send(target, keyOf(key));
const click = (query) => send($(query), new MouseEvent("click", { bubbles: true }));
const type = (query, text) => {
  $(query).value = text;
  send($(query), new Event("input", { bubbles: true }));
};

/** The number that a text writes: `−1.2·10⁻⁵`. */
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const numberIn = (text) => {
  const plain = text.replaceAll("−", "-").replaceAll("⁻", "-").replace("·10", "e");
  return Number([...plain].map((sign) => (RAISED.includes(sign) ? RAISED.indexOf(sign) : sign)).join(""));
};

const step = () => Number(document.body.dataset.step);
const phase = () => document.body.dataset.phase;
const rows = () => all("#gradients tbody tr").map((row) => ({ ...row.dataset }));
const toTheEnd = () => {
  let presses = 0;
  while (phase() !== "end" && presses < 5000) {
    press("ArrowRight");
    presses++;
  }
  return presses;
};

/** The gradients as the page has added them up, all elements, by the names of their tensors. */
const sums = () => {
  const [arrived, tensors, title] = sumsNow();
  const named = [...arrived].map(([id, sum]) => [title(tensors.get(id)), sum]);
  return Object.fromEntries(named.map(([name, sum]) => [name, sum.values ?? [sum.value]]));
};
