// Pointer, wheel, keyboard and buttons.
const TURN_PER_PIXEL = 0.008, TURN_PER_KEY = 0.1, SWING = [0.61, 0.1], SWING_MS = 8000;

class Controls {
  constructor(canvas, camera, scheduler) {
    Object.assign(this, { canvas, camera, scheduler });
    this.pointers = new Map();
    this.turntable = null;
    this.listen();
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, event);
      this.stopTurntable();
    });
    canvas.addEventListener("pointermove", (event) => this.dragged(event));
    for (const name of ["pointerup", "pointercancel"])
      canvas.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.act(() => this.camera.zoomBy(Math.exp(-event.deltaY * 0.001)));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.pressed(event));
  }

  dragged(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const spread = this.spread();
    this.pointers.set(event.pointerId, event);
    const across = event.clientX - before.clientX, down = event.clientY - before.clientY;
    this.act(() => {
      if (this.pointers.size === 1) this.camera.turn(-across * TURN_PER_PIXEL, down * TURN_PER_PIXEL);
      else if (spread > 0) this.camera.zoomBy(this.spread() / spread);
    });
  }

  spread() {
    const [one, other] = [...this.pointers.values()];
    return other ? Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) : 0;
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = {
      ArrowLeft: () => this.camera.turn(-TURN_PER_KEY, 0),
      ArrowRight: () => this.camera.turn(TURN_PER_KEY, 0),
      ArrowUp: () => this.camera.turn(0, TURN_PER_KEY),
      ArrowDown: () => this.camera.turn(0, -TURN_PER_KEY),
      "+": () => this.camera.zoomBy(1.1),
      "-": () => this.camera.zoomBy(1 / 1.1),
      Home: () => this.camera.reset(),
    };
    if (!(event.key in actions)) return;
    event.preventDefault();
    this.stopTurntable();
    this.act(actions[event.key]);
  }

  act(change) {
    change();
    this.scheduler.change();
  }

  toggleTurntable() {
    if (this.turntable) return this.stopTurntable();
    const began = performance.now();
    const step = (now) => {
      const phase = (2 * Math.PI * Math.max(0, now - began)) / SWING_MS;
      Object.assign(this.camera, { yaw: SWING[0] * Math.sin(phase), pitch: SWING[1] * Math.sin(2 * phase) });
      this.scheduler.change();
      this.turntable = requestAnimationFrame(step);
    };
    this.turntable = requestAnimationFrame(step);
    this.onTurntable(true);
  }

  stopTurntable() {
    if (!this.turntable) return;
    cancelAnimationFrame(this.turntable);
    this.turntable = null;
    this.onTurntable(false);
  }

  onTurntable() {}
}
