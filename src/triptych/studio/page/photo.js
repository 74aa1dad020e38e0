// My photo: upload or camera, what was found in it, and the portrait that it becomes.

import { chooser } from "/page/chooser.js";
import { button, choice, element, labelled, tried } from "/page/dom.js";
import { said } from "/page/jobs.js";

export function photoPanel({ jobs, capabilities }) {
  const status = element("p", { className: "hint", role: "status", id: "photo-status" });
  const face = element("input", { type: "number", min: 1, max: 20, value: 1, id: "face" });
  const method = choice(methods(capabilities), capabilities.likeness ? "likeness" : "avatar");
  const quality = choice([["draft", "Draft: half the time"], ["standard", "Standard"]], "draft");
  const start = button("Make the portrait", tried(make), { className: "main", id: "photo-start", disabled: true });
  let photo = null;
  const picture = chooser({
    id: "photo-file", text: "Choose a photo, or drop it here", camera: true, status,
    most_bytes: capabilities.most_bytes,
    onTaken: async (taken) => {
      start.disabled = true;
      photo = taken?.id ?? null;
      if (photo) await align();
    },
  });
  face.onchange = tried(() => photo && align());
  method.onchange = () => { quality.closest("label").hidden = method.value !== "likeness"; };

  async function align() {
    start.disabled = true;
    const of = photo;
    await jobs.ask("align", { photo, face: Number(face.value) }, (job) => {
      if (of !== photo) return;
      status.textContent = `Looking for the face: ${said(job)}`;
      if (job.state !== "done") return;
      picture.show(`/api/aligned/${job.id}`, "The face that was found, and its crop");
      status.textContent = ["Is this the face, upright in the right picture?", ...job.notes].join(" ");
      start.disabled = false;
    });
  }

  function make() {
    const settings = { photo, method: method.value, quality: quality.value, face: Number(face.value) };
    return jobs.make("photo", settings, status);
  }

  const panel = element("div", {},
    element("p", {}, "A photo of a face that looks about into the camera. It stays on this machine."),
    picture.part,
    status,
    labelled("Which face (1 is the largest)", face),
    labelled("What it becomes", method),
    labelled("Quality", quality),
    start,
    capabilities.likeness ? null : element("p", { className: "hint" }, 'Likenesses need mediapipe: pip install "triptych[photo]"'),
  );
  quality.closest("label").hidden = method.value !== "likeness";
  return { title: "My photo", panel };
}

function methods(capabilities) {
  const avatar = ["avatar", "The most similar avatar"];
  return capabilities.likeness ? [["likeness", "A likeness of the person"], avatar] : [avatar];
}
