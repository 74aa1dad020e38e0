// Tabs of what works here, one panel each, beside one stage and one list of jobs.

import { get } from "/page/api.js";
import { button, complain } from "/page/dom.js";
import { exportPanel } from "/page/export.js";
import { galleryPanel } from "/page/gallery.js";
import { Jobs } from "/page/jobs.js";
import { makePanel } from "/page/make.js";
import { photoPanel } from "/page/photo.js";
import { picturePanel } from "/page/picture.js";
import { regionsPanel } from "/page/regions.js";
import { Stage } from "/page/stage.js";
import { stylePanel } from "/page/style.js";

const PANELS = {
  make: makePanel,
  style: stylePanel,
  picture: picturePanel,
  photo: photoPanel,
  regions: regionsPanel,
  export: exportPanel,
  gallery: galleryPanel,
};

async function begin() {
  const capabilities = await get("status");
  const stage = new Stage(), jobs = new Jobs(stage);
  const shared = { jobs, stage, capabilities };
  const bar = document.getElementById("tabs"), place = document.getElementById("panels");
  const tabs = new Map();

  function open(name) {
    for (const [other, { tab, panel }] of tabs) {
      panel.hidden = other !== name;
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
    }
    tabs.get(name).opened?.();
  }

  for (const [name, build] of Object.entries(PANELS)) {
    if (!capabilities.tabs[name]) continue;
    const made = build(shared);
    const tab = button(made.title, () => open(name), { role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}` });
    Object.assign(made.panel, { id: `panel-${name}`, hidden: true });
    made.panel.setAttribute("role", "tabpanel");
    made.panel.setAttribute("aria-labelledby", tab.id);
    bar.append(tab);
    place.append(made.panel);
    tabs.set(name, { ...made, tab });
  }
  bar.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = [...tabs.keys()], at = names.findIndex((name) => !tabs.get(name).panel.hidden);
    const next = names[(at + step + names.length) % names.length];
    open(next);
    tabs.get(next).tab.focus();
  };
  stage.go = open;
  open("make");
  jobs.poll();
  const asked = location.hash.slice(1);
  if (asked) await stage.showId(asked).catch(() => stage.show(null));  // it was removed
  document.body.dataset.ready = "yes";
}

begin().catch(complain);
