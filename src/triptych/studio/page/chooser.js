// A picture from a file, dropped or taken by the camera, uploaded to the studio.

import { upload } from "/page/api.js";
import { button, complain, element, tried } from "/page/dom.js";

// `onTaken` gets what the studio said of the picture, or null while there is none.
export function chooser({ id, text, most_bytes, camera, status, onTaken }) {
  const file = element("input", { type: "file", accept: "image/*", id });
  const drop = element("label", { className: "drop" }, file, text);
  const shown = element("div");
  const film = element("div");

  file.onchange = tried(() => file.files.length && take(file.files[0]));
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = tried(async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) await take(event.dataTransfer.files[0]);
  });

  async function take(picture) {
    onTaken(null);
    shown.replaceChildren();
    if (picture.size > most_bytes) {
      status.textContent = `The picture has more than ${most_bytes >> 20} MB; make it smaller.`;
      return;
    }
    status.textContent = "Uploading ...";
    try {
      const taken = await upload(picture);
      show(`/api/photos/${taken.id}`, "The picture");
      status.textContent = [`${taken.width} x ${taken.height} pixels.`, ...taken.notes].join(" ");
      await onTaken(taken);
    } catch (problem) {
      status.textContent = problem.message;
    } finally {
      file.value = "";
    }
  }

  function show(address, words) {
    shown.replaceChildren(element("img", { className: "shown", src: address, alt: words }));
  }

  async function open() {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error("this browser gives no page a camera");
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 1280 } });
    const video = element("video", { className: "shown", autoplay: true, muted: true, srcObject: stream });
    const close = () => { stream.getTracks().forEach((track) => track.stop()); film.replaceChildren(); };
    const snap = tried(async () => {
      const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
      canvas.getContext("2d").drawImage(video, 0, 0);
      close();
      canvas.toBlob((blob) => take(blob).catch(complain), "image/jpeg", 0.95);
    });
    film.replaceChildren(video, element("div", { className: "row" }, button("Take the picture", snap), button("Close", close)));
  }

  const by = camera ? element("div", { className: "row" }, button("Use the camera", tried(open))) : null;
  return { part: element("div", {}, drop, by, film, shown), show };
}
