// Make: a wall of heads to choose from.

import { get, post } from "/page/api.js";
import { button, element, labelled, tried } from "/page/dom.js";
import { ACTIVE, said } from "/page/jobs.js";

const COUNT = 24, CHOOSE = "Choose a head.";

export function makePanel({ jobs }) {
  const wall = element("div", { className: "wall", role: "group", "aria-label": "Heads" });
  const status = element("p", { className: "hint", role: "status" });
  const seed = element("input", { type: "number", min: 0, max: 4294967295, value: 0 });
  const refine = element("input", { type: "checkbox" });
  let first = 0, drawing = null;  // the job of the wall while it is not done

  async function draw(from) {
    first = Math.max(0, Math.min(from, 4294967296 - COUNT));
    const heads = [...Array(COUNT).keys()].map((index) => first + index);
    wall.replaceChildren(...heads.map((head) => place(head)));
    await stopDrawing();
    const there = await get(`heads?first=${first}&count=${COUNT}`);
    for (const head of there) fill(head);
    if (there.length === COUNT) status.textContent = CHOOSE;
    else await drawRest();
  }

  // Return whether heads were being drawn.
  async function stopDrawing() {
    const wall = drawing;
    drawing = null;
    if (wall) await post(`jobs/${wall}/cancel`).catch(() => {});  // it has just ended
    return wall !== null;
  }

  async function drawRest() {
    const job = await jobs.ask("wall", { first, count: COUNT }, (job) => {
      if (job.id === drawing && !ACTIVE.includes(job.state)) drawing = null;
      if (job.settings.first !== first) return;
      const there = job.state === "done" ? COUNT : job.done;
      for (let head = first; head < first + there; head++) fill(head);
      if (job.state !== "cancelled") status.textContent = job.state === "done" ? CHOOSE : said(job);
    });
    drawing = job.id;
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
    const goesOn = await stopDrawing();  // the chosen head comes first
    await jobs.make("make", { seed: head, refine: refine.checked }, status, (job) => {
      if (job.state === "done") status.textContent = `Seed ${head} is ready: turn it, style it, export it.`;
    });
    if (goesOn) await drawRest();
  }

  const panel = element("div", {},
    element("p", {}, "People who do not exist. Choose one; it can be turned, styled and exported."),
    status,
    wall,
    element("div", { className: "row" },
      button("Earlier", tried(() => draw(first - COUNT))),
      button("More heads", tried(() => draw(first + COUNT))),
      button("Any", tried(() => draw(Math.floor(Math.random() * 99000)))),
    ),
    element("label", { className: "inline" }, refine, "Sharp hair, ears and collars (half a minute more)"),
    labelled("Or a seed of your own", element("div", { className: "row" }, seed, button("Make", tried(() => make(Number(seed.value)))))),
  );
  return { title: "Make", panel, opened: () => { if (!wall.childElementCount) tried(() => draw(0))(); } };
}
