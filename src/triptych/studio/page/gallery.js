// Gallery: everything that was made in this folder, newest first.

import { get } from "/page/api.js";
import { button, element, tried } from "/page/dom.js";

export function galleryPanel({ stage }) {
  const wall = element("div", { className: "wall large", id: "gallery", role: "group", "aria-label": "Portraits" });
  const none = element("p", { className: "hint" }, "Nothing was made in this folder yet.");

  async function draw() {
    const entries = await get("portraits");
    none.hidden = entries.length > 0;
    wall.replaceChildren(...entries.map((entry) => shown(entry)));
  }

  function shown(entry) {
    const one = button("", () => stage.show(entry), {
      "aria-label": entry.title,
      "aria-pressed": String(stage.portrait?.id === entry.id),
      "data-portrait": entry.id,
      title: `${entry.title}, ${new Date(entry.created).toLocaleString()}`,
    });
    one.append(element("img", { src: `/api/portraits/${entry.id}/thumbnail`, alt: "", loading: "lazy" }), element("span", {}, entry.title));
    return one;
  }

  const panel = element("div", {}, element("p", {}, "Everything made in this folder, newest first."), none, wall);
  stage.onChange(() => { if (panel.isConnected && !panel.hidden) tried(draw)(); });
  return { title: "Gallery", panel, opened: tried(draw) };
}
