// Make: a wall of heads to choose from.

import { button, element, labelled, tried } from "/page/dom.js";
import { said } from "/page/jobs.js";

const COUNT = 24;

export function makePanel({ jobs, stage }) {
  const wall = element("div", { className: "wall", role: "group", "aria-label": "Heads" });
  const status = element("p", { className: "hint", role: "status" });
  const seed = element("input", { type: "number", min: 0, max: 4294967295, value: 0 });
  const refine = element("input", { type: "checkbox" });
  let first = 0;

  async function draw(from) {
    first = Math.max(0, Math.min(from, 4294967296 - COUNT));
    const heads = [...Array(COUNT).keys()].map((index) => first + index);
    wall.replaceChildren(...heads.map((head) => place(head)));
    await jobs.ask("wall", { first, count: COUNT }, (job) => {
      if (job.settings.first !== first) return;
      const there = job.state === "done" ? COUNT : job.done;
      for (const head of heads.slice(0, there)) fill(head);
      status.textContent = job.state === "done" ? "Choose a head." : `Drawing heads: ${said(job)}`;
    });
  }

  function place(head) {
    return button("", tried(() => make(head)), {
      "data-seed": head, "aria-label": `Head of seed ${head}`, "aria-pressed": "false",
    });
  }

  function fill(head) {
    const shown = wall.querySelector(`[data-seed="${head}"]`);
    if (!shown || shown.childElementCount) return;
    shown.append(element("img", { src: `/api/heads/${head}`, alt: "" }), element("span", {}, String(head)));
  }

  async function make(head) {
    for (const one of wall.children) one.setAttribute("aria-pressed", String(Number(one.dataset.seed) === head));
    status.textContent = `Making seed ${head} ...`;
    await jobs.ask("make", { seed: head, refine: refine.checked }, (job) => {
      if (job.state === "done") {
        status.textContent = `Seed ${head} is ready: turn it, style it, export it.`;
        stage.showId(job.id);
      } else {
        status.textContent = `Seed ${head}: ${said(job)}`;
      }
    });
  }

  const panel = element("div", {},
    element("p", {}, "People who do not exist. Choose one; it can be turned, styled and exported."),
    wall,
    element("div", { className: "row" },
      button("Earlier", tried(() => draw(first - COUNT))),
      button("More heads", tried(() => draw(first + COUNT))),
      button("Any", tried(() => draw(Math.floor(Math.random() * 99000)))),
    ),
    status,
    element("label", { className: "inline" }, refine, "Sharp hair, ears and collars (half a minute more)"),
    labelled("Or a seed of your own", element("div", { className: "row" }, seed, button("Make", tried(() => make(Number(seed.value)))))),
  );
  return { title: "Make", panel, opened: () => { if (!wall.childElementCount) tried(() => draw(0))(); } };
}
