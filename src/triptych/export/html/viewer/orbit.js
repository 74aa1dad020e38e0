// A camera on a sphere around the head: angles in radians, within limits, and zoom.
const YAW_LIMIT = 1.6, PITCH_LIMIT = 0.8, ZOOM_LIMITS = [0.6, 4];

class OrbitCamera {
  constructor(scene) {
    this.scene = scene;
    this.reset();
  }

  reset() {
    Object.assign(this, { yaw: 0, pitch: 0, zoom: 1 });
  }

  turn(yaw, pitch) {
    this.yaw = clamp(this.yaw + yaw, -YAW_LIMIT, YAW_LIMIT);
    this.pitch = clamp(this.pitch + pitch, -PITCH_LIMIT, PITCH_LIMIT);
  }

  zoomBy(factor) {
    this.zoom = clamp(this.zoom * factor, ...ZOOM_LIMITS);
  }

  focal() {
    return this.scene.focal * this.zoom;
  }

  // Position, and the axes right, down and forward, column by column.
  pose() {
    const { radius, target } = this.scene, level = Math.cos(this.pitch);
    const eye = [Math.sin(this.yaw) * level, Math.sin(this.pitch), Math.cos(this.yaw) * level]
      .map((value) => value * radius);
    const forward = unit(target.map((value, axis) => value - eye[axis]));
    const right = unit(cross(forward, [0, 1, 0]));
    return { eye, frame: [...right, ...cross(forward, right), ...forward] };
  }

  words() {
    const degrees = (angle) => Math.round((Math.abs(angle) * 180) / Math.PI);
    const sides = [];
    if (degrees(this.yaw)) sides.push(`${degrees(this.yaw)} degrees from ${this.yaw > 0 ? "its left" : "its right"}`);
    if (degrees(this.pitch)) sides.push(`${degrees(this.pitch)} degrees from ${this.pitch > 0 ? "above" : "below"}`);
    return sides.length ? `seen ${sides.join(", ")}` : "seen from the front";
  }
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (vector) => vector.map((value) => value / Math.hypot(...vector));
