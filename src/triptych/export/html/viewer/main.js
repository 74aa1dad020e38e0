// Puts the page together from what stands in it.
const part = (name) => document.getElementById(name);
const page = { canvas: part("portrait"), strip: part("strip"), note: part("note") };
const content = JSON.parse(part("content").textContent);

function bytes(name) {
  const text = atob(part(name).textContent.trim()), numbers = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) numbers[i] = text.charCodeAt(i);
  return numbers.buffer;
}

function hexColour(grey) {
  const digits = Math.round(clamp(grey, 0, 1) * 255).toString(16).padStart(2, "0");
  return `#${digits}${digits}${digits}`;
}

const channels = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16) / 255);

function showInformation() {
  const list = part("facts");
  for (const [label, value] of content.facts) {
    const name = document.createElement("dt"), text = document.createElement("dd");
    name.textContent = label;
    text.textContent = value;
    list.append(name, text);
  }
  const panel = part("information"), button = part("inform");
  button.addEventListener("click", () => {
    panel.hidden = !panel.hidden;
    button.setAttribute("aria-expanded", String(!panel.hidden));
  });
}

function fitCanvas() {
  const ratio = Math.min(window.devicePixelRatio || 1, 2), { clientWidth, clientHeight } = page.canvas;
  const width = Math.max(16, Math.round(clientWidth * ratio)), height = Math.max(16, Math.round(clientHeight * ratio));
  if (page.canvas.width === width && page.canvas.height === height) return false;
  Object.assign(page.canvas, { width, height });
  return true;
}

function save(renderer) {
  const picture = renderer.pixels(), drawing = document.createElement("canvas");
  const side = Math.min(picture.width, picture.height);
  Object.assign(drawing, { width: side, height: side });
  const left = (picture.width - side) >> 1, top = (picture.height - side) >> 1;
  drawing.getContext("2d").putImageData(picture, -left, -top);
  drawing.toBlob((file) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = "portrait.png";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}

function showPortrait() {
  fitCanvas();
  const named = (names, read) => Object.fromEntries(names.map((name) => [name, read(name)]));
  const arrays = named(content.arrays, bytes);
  const shaders = named(content.shaders, (name) => part(name).textContent);
  const scene = content.scene, camera = new OrbitCamera(scene);
  const Renderer = scene.kind === "splats" ? SplatRenderer : PlaneRenderer;
  const renderer = new Renderer(page.canvas, scene, arrays, shaders);
  let wanted = false;  // a picture to be saved once the view rests
  const scheduler = new FrameScheduler(renderer, camera, [0, 1, 2].map(() => scene.background), () => {
    page.canvas.dataset.view = `${camera.yaw} ${camera.pitch} ${camera.zoom}`;
    part("said").textContent = camera.words();
    if (wanted) save(renderer);
    wanted = false;
  });
  const controls = new Controls(page.canvas, camera, scheduler);
  const colour = part("background");
  colour.value = hexColour(scene.background);
  document.body.style.background = colour.value;
  colour.addEventListener("input", () => {
    document.body.style.background = colour.value;
    scheduler.background = channels(colour.value);
    scheduler.change();
  });
  part("reset").addEventListener("click", () => {
    controls.stopTurntable();
    controls.act(() => camera.reset());
  });
  controls.onTurntable = (runs) => part("turntable").setAttribute("aria-pressed", String(runs));
  part("turntable").addEventListener("click", () => controls.toggleTurntable());
  part("save").addEventListener("click", () => {
    controls.stopTurntable();
    if (scheduler.resting) save(renderer);
    else wanted = true;
  });
  part("full").addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen();
  });
  new ResizeObserver(() => fitCanvas() && scheduler.change()).observe(page.canvas);
  page.canvas.addEventListener("webglcontextlost", () => fallBack("the graphics processor was lost; reload the page"));
}

function fallBack(reason) {
  page.note.textContent = `Pictures instead of the live view: ${reason}.`;
  page.note.hidden = false;
  part("tools").hidden = true;
  if (page.strip.hidden) showStrip(page, content.strip);
}

showInformation();
try {
  showPortrait();
} catch (problem) {
  fallBack(problem.message);
}
