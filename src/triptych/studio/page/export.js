// Export: the portrait on stage in the formats of other programs, in one zip file.

import { button, element, tried } from "/page/dom.js";
import { said } from "/page/jobs.js";

const CHOSEN = ["page", "glb", "video"];

export function exportPanel({ jobs, stage, capabilities }) {
  const boxes = Object.entries(capabilities.formats).map(([name, title]) => {
    const box = element("input", { type: "checkbox", value: name, checked: CHOSEN.includes(name) });
    return { box, label: element("label", { className: "inline" }, box, title) };
  });
  const status = element("p", { className: "hint", role: "status" });
  const ready = element("div", { className: "row", id: "export-ready" });
  const start = button("Export", tried(pack), { className: "main", id: "export-start" });
  const of = element("p");

  async function pack() {
    const formats = boxes.filter(({ box }) => box.checked).map(({ box }) => box.value);
    ready.replaceChildren();
    await jobs.ask("export", { portrait: stage.portrait.id, formats }, (job) => {
      status.textContent = said(job);
      if (job.state !== "done") return;
      const link = { className: "button", href: `/api/exports/${job.id}`, download: "portrait.zip" };
      ready.replaceChildren(element("a", link, "Download the zip file"));
    });
  }

  const panel = element("div", {},
    of,
    element("fieldset", {}, element("legend", {}, "Formats"), ...boxes.map(({ label }) => label)),
    element("div", { className: "row" }, start, button("Choose all", () => { for (const { box } of boxes) box.checked = true; })),
    status,
    ready,
  );
  stage.onChange((portrait) => {
    start.disabled = portrait === null;
    of.textContent = portrait === null ? "First make or open a portrait." : `Exports: ${portrait.title}`;
    ready.replaceChildren();
    status.textContent = "";
  });
  return { title: "Export", panel };
}
