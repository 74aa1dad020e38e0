// Regions: a head whose hair, eyes or mouth are those of other seeds.

import { button, choice, element, labelled, tried } from "/page/dom.js";

const LAST_SEED = 99999;
const ASPECTS = [["", "shape and texture"], [".shape", "shape"], [".texture", "texture"]];

export function regionsPanel({ jobs, stage, capabilities }) {
  const seed = seedField(0);
  const from = element("input", { type: "checkbox", id: "regions-from" });
  const fromLabel = element("label", { className: "inline" }, from, element("span"));
  const status = element("p", { className: "hint", role: "status" });
  const rows = capabilities.regions.map((name) => {
    const other = seedField(""), aspect = choice(ASPECTS);
    other.setAttribute("aria-label", `${name}: of seed`);
    aspect.setAttribute("aria-label", `${name}: what of it`);
    return { name, other, aspect, line: element("div", { className: "region", "data-region": name }, element("span", {}, name), other, aspect) };
  });

  function make() {
    const swapped = rows.filter(({ other }) => other.value !== "");
    const regions = swapped.map(({ name, other, aspect }) => `${name}${aspect.value}=${Number(other.value)}`);
    const base = from.checked ? { portrait: stage.portrait.id } : { seed: Number(seed.value) };
    return jobs.make("compose", { ...base, regions }, status);
  }

  from.onchange = () => { seed.disabled = from.checked; };
  stage.onChange((portrait) => {
    fromLabel.hidden = !portrait?.has_regions;
    from.checked &&= !fromLabel.hidden;
    from.onchange();
    fromLabel.lastChild.textContent = portrait ? `Go on from "${portrait.title}" instead` : "";
  });
  const any = button("Any", () => { seed.value = Math.floor(Math.random() * (LAST_SEED + 1)); });
  const panel = element("div", {},
    element("p", {}, "Heads made of parts. A part with a seed comes from that head; others stay."),
    labelled("Head of seed", element("div", { className: "row" }, seed, any)),
    fromLabel,
    element("fieldset", {}, element("legend", {}, "Parts of other seeds"), ...rows.map(({ line }) => line)),
    button("Make the head", tried(make), { className: "main", id: "regions-start" }),
    status,
  );
  return { title: "Regions", panel };
}

function seedField(value) {
  return element("input", { type: "number", min: 0, max: LAST_SEED, value, placeholder: "own" });
}
