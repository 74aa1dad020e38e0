// The portrait that is being looked at, and what can be done with it.

import { get, remove } from "/page/api.js";
import { button, element, tried } from "/page/dom.js";

export class Stage {
  constructor() {
    this.portrait = null;
    this.listeners = [];
    this.go = () => {};
  }

  // Call `listener` with the portrait (or null) now and whenever another one is shown.
  onChange(listener) {
    this.listeners.push(listener);
    listener(this.portrait);
  }

  async showId(id) {
    this.show(await get(`portraits/${encodeURIComponent(id)}`));
  }

  // Say how far a portrait is that is being made; null when it has ended.
  wait(id, words) {
    const making = document.getElementById("making");
    if (words === null && making.dataset.of !== id) return;
    making.dataset.of = id;
    making.textContent = words ?? "";
    making.hidden = words === null;
  }

  show(portrait) {
    this.portrait = portrait;
    history.replaceState(null, "", portrait ? `#${portrait.id}` : "/");
    const view = document.getElementById("view");
    document.getElementById("caption").hidden = portrait === null;
    if (portrait === null) {
      view.replaceChildren(element("p", { id: "empty" }, "Choose a head, and turn it here."));
    } else {
      view.replaceChildren(portrait.has_page ? frame(portrait) : picture(portrait));
      document.getElementById("title").textContent = portrait.title;
      document.getElementById("remarks").textContent = portrait.notes.join("; ");
      document.getElementById("actions").replaceChildren(...this.actions(portrait));
    }
    for (const listener of this.listeners) listener(portrait);
  }

  actions(portrait) {
    const address = `/api/portraits/${portrait.id}`;
    const made = [
      button("Style by words", () => this.go("style")),
      button("Export", () => this.go("export")),
      element("a", { className: "button", href: `${address}/file`, download: "portrait.safetensors" }, "Portrait file"),
    ];
    if (portrait.has_page) {
      made.push(element("a", { className: "button", href: `${address}/page`, target: "_blank", rel: "noopener" }, "Own window"));
    }
    const sure = tried(async () => {
      if (!confirm(`Remove "${portrait.title}" with its files?`)) return;
      await remove(`portraits/${portrait.id}`);
      this.show(null);
    });
    made.push(button("Remove", sure));
    return made;
  }
}

function frame(portrait) {
  return element("iframe", {
    src: `/api/portraits/${portrait.id}/page`,
    title: `${portrait.title}, a 3D portrait`,
    sandbox: "allow-scripts allow-downloads",
    allow: "fullscreen",
  });
}

function picture(portrait) {
  return element("img", { src: `/api/portraits/${portrait.id}/thumbnail`, alt: portrait.title });
}
