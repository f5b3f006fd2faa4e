"""Ways through the steps: play and pause, jumps to layers and parameters, links that lead to a step."""

import pytest
from browser import needs_browser, play
from networks import LeNet5, loss_of

import tensorgrad as tg
from tensorgrad.viz import Depth, page
from tensorgrad.viz.graph import column

pytestmark = needs_browser


@pytest.fixture(scope="module", name="record")
def lenet_record():
    tg.manual_seed(0)
    network = LeNet5()
    with tg.viz.trace() as step:
        loss_of(network, (2, 1, 28, 28)).backward()
    return step.record(names=dict(network.named_parameters()), depth=Depth(numbers=True, details=True))


def test_l_leads_from_layer_to_layer_and_p_from_parameter_to_parameter(record, tmp_path):
    script = """
      const told = { layers: [], edges: [], parameters: [], back: [] };
      for (let k = 0; k < 4; k++) {
        press("l");
        told.layers.push(textOf("#story h2 small"));
      }
      press("End");
      for (let k = 0; k < 3; k++) {
        press("L");
        told.edges.push(...ids(".edge.now"));
      }
      press("Home");
      for (let k = 0; k < 4; k++) {
        press("p");
        told.parameters.push($("tr.current").dataset.name);
      }
      for (let k = 0; k < 3; k++) {
        press("P");
        told.back.push($("tr.current").dataset.name);
      }
      press("Home");
      press("L");
      return { ...told, step: step() };
    """
    told = play(page.write(record, column.draw(record)), script, tmp_path)
    layers = [path for path in dict.fromkeys(op.scopes[-1].path for op in record.ops if op.scopes) if path]
    assert [text.split()[1] for text in told["layers"]] == layers[:4]
    assert len({edge.split("-")[1] for edge in told["edges"]}) == len(told["edges"]) == 3
    assert told["parameters"] == ["fc3.weight", "fc3.bias", "fc2.weight", "fc2.bias"]
    assert told["back"] == ["fc2.weight", "fc3.bias", "fc3.weight"]
    assert told["step"] == 0


def test_the_space_bar_plays_to_the_end_and_pauses(record, tmp_path):
    script = """
      const wait = (time) => new Promise((done) => setTimeout(done, time));
      press(" ");
      await wait(2000);
      const told = [step(), $("#play").getAttribute("aria-label")];
      press(" ");
      await wait(2000);
      told.push(step(), $("#play").getAttribute("aria-label"));
      press("End");
      press("ArrowLeft");
      click("#play");
      await wait(3000);
      return [...told, phase(), $("#play").getAttribute("aria-label")];
    """
    told = play(page.write(record, column.draw(record)), script, tmp_path)
    assert told == [2, "Pause", 2, "Play", "end", "Play"]


def test_the_address_names_the_step_and_leads_to_it(record, tmp_path):
    script = """
      const wait = (time) => new Promise((done) => setTimeout(done, time));
      type("#slider", "5");
      press("ArrowRight");
      await wait(1000);
      const told = [location.hash];
      location.hash = "#step=3";
      await wait(100);
      told.push(step());
      location.hash = "#nothing";
      await wait(100);
      return [...told, step()];
    """
    assert play(page.write(record, column.draw(record)), script, tmp_path) == ["#step=6", 3, 3]
