// My photo: upload or camera, what was found in it, and the portrait that it becomes.

import { upload } from "/page/api.js";
import { button, choice, complain, element, labelled, tried } from "/page/dom.js";
import { said } from "/page/jobs.js";

export function photoPanel({ jobs, stage, capabilities }) {
  const chooser = element("input", { type: "file", accept: "image/*", id: "photo-file" });
  const drop = element("label", { className: "drop" }, chooser, "Choose a photo, or drop it here");
  const camera = element("div");
  const shown = element("div", { id: "aligned" });
  const status = element("p", { className: "hint", role: "status", id: "photo-status" });
  const face = element("input", { type: "number", min: 1, max: 20, value: 1, id: "face" });
  const method = choice(methods(capabilities), capabilities.likeness ? "likeness" : "avatar");
  const quality = choice([["draft", "Draft: half the time"], ["standard", "Standard"]], "draft");
  const start = button("Make the portrait", tried(make), { className: "main", id: "photo-start", disabled: true });
  let photo = null;

  chooser.onchange = tried(() => chooser.files.length && take(chooser.files[0]));
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = tried(async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) await take(event.dataTransfer.files[0]);
  });
  face.onchange = tried(() => photo && align());
  method.onchange = () => { quality.closest("label").hidden = method.value !== "likeness"; };

  async function take(file) {
    if (file.size > capabilities.most_bytes) {
      throw new Error(`the picture has more than ${capabilities.most_bytes >> 20} MB; make it smaller`);
    }
    start.disabled = true;
    photo = null;
    status.textContent = "Uploading ...";
    try {
      const taken = await upload(file);
      photo = taken.id;
      shown.replaceChildren(element("img", { className: "shown", src: `/api/photos/${photo}`, alt: "Your photo" }));
      status.textContent = `${taken.width} x ${taken.height} pixels. ${taken.notes.join("; ")}`;
    } catch (problem) {
      shown.replaceChildren();
      status.textContent = problem.message;
      return;
    } finally {
      chooser.value = "";
    }
    await align();
  }

  async function align() {
    start.disabled = true;
    const of = photo;
    await jobs.ask("align", { photo, face: Number(face.value) }, (job) => {
      if (of !== photo) return;
      status.textContent = `Looking for the face: ${said(job)}`;
      if (job.state !== "done") return;
      const picture = { className: "shown", src: `/api/aligned/${job.id}`, alt: "The face that was found, and its crop" };
      shown.replaceChildren(element("img", picture));
      status.textContent = ["Is this the face, upright in the right picture?", ...job.notes].join(" ");
      start.disabled = false;
    });
  }

  async function make() {
    const settings = { photo, method: method.value, quality: quality.value, face: Number(face.value) };
    await jobs.ask("photo", settings, (job) => {
      status.textContent = said(job);
      if (job.state === "done") stage.showId(job.id);
    });
  }

  async function open() {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error("this browser gives no page a camera");
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 1280 } });
    const video = element("video", { className: "shown", autoplay: true, muted: true, srcObject: stream });
    const close = () => { stream.getTracks().forEach((track) => track.stop()); camera.replaceChildren(); };
    const snap = tried(async () => {
      const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
      canvas.getContext("2d").drawImage(video, 0, 0);
      close();
      canvas.toBlob((blob) => take(blob).catch(complain), "image/jpeg", 0.95);
    });
    camera.replaceChildren(video, element("div", { className: "row" }, button("Take the picture", snap), button("Close", close)));
  }

  const panel = element("div", {},
    element("p", {}, "A photo of a face that looks about into the camera. It stays on this machine."),
    drop,
    element("div", { className: "row" }, button("Use the camera", tried(open))),
    camera,
    shown,
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
