// When to draw what: coarse and small while the view changes, whole once it rests.
const COARSE_STEPS = 80, FINE_STEPS = 192, FRAME_MS = 33, PIECE_MS = 25, REST_MS = 150, POLL_MS = 2;
const FIRST_SIDE = 96, LEAST_SCALE = 0.08, MOST_PIECES = 24;

class FrameScheduler {
  constructor(renderer, camera, background, onRest) {
    Object.assign(this, { renderer, camera, background, onRest });
    this.scale = 0;         // of a moving picture's sides; unknown before the first frame
    this.changed = true;    // the view is not what is shown
    this.busy = false;      // something is being drawn, or about to be
    this.row = null;        // first row of the resting picture that is not drawn yet
    this.rows = 1;          // that are drawn at once
    this.lastChange = 0;
    this.resting = false;
    this.next();
  }

  change() {
    Object.assign(this, { changed: true, resting: false, row: null, lastChange: performance.now() });
    if (!this.busy) this.next();
  }

  // Decides what is drawn now; nothing runs while the view rests.
  next() {
    this.busy = this.changed;
    if (this.changed) return requestAnimationFrame(() => this.drawMoving());
    if (this.resting) return;
    const wait = this.lastChange + REST_MS - performance.now();
    if (this.row !== null || wait <= 0) {
      this.busy = true;
      // Before the first piece the browser shows the moving picture: pieces would keep it waiting.
      if (this.row !== null) return this.drawResting();
      requestAnimationFrame(() => (this.changed ? this.drawMoving() : this.drawResting()));
    } else {
      setTimeout(() => this.busy || this.next(), wait);
    }
  }

  drawMoving() {
    const { width, height } = this.renderer.canvas;
    if (!this.scale) this.scale = Math.min(1, FIRST_SIDE / Math.max(width, height));
    this.changed = false;
    this.renderer.resize(Math.ceil(width * this.scale), Math.ceil(height * this.scale));
    this.draw(COARSE_STEPS, 0, this.renderer.target.height, (took) => {
      this.scale = clamp(this.scale * clamp(Math.sqrt(FRAME_MS / took), 0.7, 1.25), LEAST_SCALE, 1);
      this.renderer.present();
      if (!performance.getEntriesByName("first picture").length) performance.mark("first picture");
      this.renderer.canvas.classList.add("drawn");
    });
  }

  drawResting() {
    const { width, height } = this.renderer.canvas, fewest = Math.ceil(height / MOST_PIECES);
    if (this.row === null) {
      this.renderer.resize(width, height);
      this.row = 0;
    }
    const rows = Math.min(Math.max(this.rows, fewest), height - this.row);
    this.draw(FINE_STEPS, this.row, rows, (took) => {
      if (this.row === null) return;  // the view has changed meanwhile
      this.row += rows;
      this.rows = clamp(Math.round(rows * clamp(PIECE_MS / took, 0.5, 2)), fewest, height);
      if (this.row < height) return;
      this.row = null;
      this.resting = true;
      this.renderer.present();
      this.onRest();
    });
  }

  draw(steps, first, rows, finished) {
    const began = performance.now();
    const fence = this.renderer.draw(this.camera, this.background, steps, first, rows);
    const poll = () => {
      if (!this.renderer.isDone(fence)) return setTimeout(poll, POLL_MS);
      finished(performance.now() - began);
      this.next();
    };
    setTimeout(poll, 0);
  }
}
