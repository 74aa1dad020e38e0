// Style by words: the portrait on stage becomes what a line of text says.

import { button, choice, element, labelled, tried } from "/page/dom.js";

const QUALITIES = [["draft", "Draft: the quickest, to see whether it works"], ["standard", "Standard: takes longer"], ["high", "High: takes long"]];

export function stylePanel({ jobs, stage, capabilities }) {
  const prompt = element("input", { type: "text", id: "prompt", maxLength: 1000, placeholder: "a bronze statue" });
  const quality = choice(QUALITIES, "draft");
  const seed = element("input", { type: "number", min: 0, max: 4294967295, value: 0 });
  const status = element("p", { className: "hint", role: "status" });
  const start = button("Style it", tried(style), { className: "main", id: "style-start" });
  const words = element("div", { className: "chips", role: "group", "aria-label": "Words it knows" });
  for (const word of capabilities.words) words.append(button(word, () => { prompt.value = word; prompt.focus(); }));

  async function style() {
    const asked = { portrait: stage.portrait.id, prompt: prompt.value };
    // Where one pass is possible it comes first, and the fit behind it takes its place.
    if (capabilities.one_pass) await jobs.make("edit", asked, status);
    await jobs.make("style", { ...asked, quality: quality.value, seed: Number(seed.value) }, status);
  }

  prompt.onkeydown = (event) => { if (event.key === "Enter" && !start.disabled) start.click(); };
  const of = element("p");
  const panel = element("div", {},
    of,
    labelled("What it becomes", prompt),
    element("p", { className: "hint" }, "Words it knows; others have little effect:"),
    words,
    labelled("Quality", quality),
    labelled("Variation", seed),
    start,
    status,
  );
  stage.onChange((portrait) => {
    start.disabled = portrait === null || portrait.has_regions;
    of.textContent = portrait === null ? "First make or open a portrait."
      : portrait.has_regions ? "Portraits of regions cannot be styled by words." : `Styles: ${portrait.title}`;
  });
  return { title: "Style by words", panel };
}
