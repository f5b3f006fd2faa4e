"""An exercise sheet: one neuron, its chain rule drawn with blanks, a page that checks the answers, and the key.

    python examples/drawings/exercise_sheet.py

A neuron with two inputs is trained on one example, and its first weight is kept small.

Writes to the folder `out`:

- `exercise_sheet.html`: the sheet, to practise on or to print.
- `exercise_key.html`: the same filled in.
- `exercise_sheet.svg`: the drawing of the sheet, with blanks in place of rules and numbers.

Then it checks three derivative rules that a student might write.
"""

import tensorgrad as tg

x1, x2 = tg.tensor(1.5, name="x₁"), tg.tensor(-2.0, name="x₂")
w1, w2 = (tg.tensor(v, requires_grad=True, name=name) for v, name in ((0.8, "w₁"), (0.3, "w₂")))

with tg.viz.trace() as step:
    h = (w1 * x1 + w2 * x2).sigmoid()
    L = (h - 1.0) ** 2 + 0.1 * w1**2
    L.backward()

sheet = tg.viz.graph(step).exercise("out/exercise_sheet.html", blank=0.4, key="out/exercise_key.html")
print(sheet)
print("wrote", sheet.save("out/exercise_sheet.svg"))
for number, blank in enumerate(sheet.blanks, 1):
    print(f"{number:2} {blank.kind:8} {blank.prompt} = {blank.answer}")

print(tg.viz.check_rule("sigmoid", lambda x, z: z * (1 - z)))
print(tg.viz.check_rule("sigmoid", lambda x, z: x * (1 - x)))
print(tg.viz.check_rule("linear", lambda g, x, w, b, z: (g @ w, g.T @ x, g)))
