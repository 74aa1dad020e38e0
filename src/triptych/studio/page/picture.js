// Style by picture: a portrait in the style of an example.

import { chooser } from "/page/chooser.js";
import { button, choice, element, labelled, slider, tried } from "/page/dom.js";

export function picturePanel({ jobs, stage, capabilities }) {
  const status = element("p", { className: "hint", role: "status", id: "picture-status" });
  const strength = slider(1, 1), geometry = slider(2, 1), appearance = slider(2, 1);
  const method = choice(methods(capabilities));
  const start = button("Style it", tried(make), { className: "main", id: "picture-start", disabled: true });
  const of = element("p");
  let picture = null;
  const example = chooser({
    id: "picture-file", text: "Choose a picture in the wanted style, or drop it here", status,
    most_bytes: capabilities.most_bytes,
    onTaken: (taken) => { picture = taken?.id ?? null; refresh(); },
  });

  function make() {
    const asked = method.value === "edit"
      ? { portrait: stage.portrait.id, strength: strength.amount() }
      : { seed: stage.portrait.seed, geometry: geometry.amount(), appearance: appearance.amount() };
    return jobs.make(method.value, { ...asked, picture }, status);
  }

  function refresh() {
    const portrait = stage.portrait, edits = method.value === "edit";
    const fits = portrait && (edits || portrait.seed !== null);
    of.textContent = !portrait ? "First make or open a portrait."
      : fits ? `Styles: ${portrait.title}`
      : "This way styles heads of the tab Make as they come from there; open one of them.";
    start.disabled = !fits || picture === null;
    strength.part.hidden = !edits;
    geometry.part.hidden = appearance.part.hidden = edits;
  }

  strength.named("Strength");
  geometry.named("Strength in the shapes");
  appearance.named("Strength on the surface");
  const panel = element("div", {}, of, example.part, status, labelled("How", method), strength.part, geometry.part, appearance.part, start);
  method.onchange = refresh;
  stage.onChange(refresh);
  return { title: "Style by picture", panel };
}

function methods(capabilities) {
  const all = [["edit", "Edit this portrait, in one pass", "one_pass"], ["wear", "Let the head of this seed wear the style", "wear"]];
  return all.filter(([, , needs]) => capabilities[needs]);
}
