// Gaussian splats: a texture of them, sorted from far to near before each picture, drawn as rectangles.
class SplatRenderer extends LiveCanvas {
  constructor(canvas, scene, arrays, shaders) {
    super(canvas, scene);
    const gl = this.gl, [width, height] = scene.textureSize;
    this.program = this.link(shaders.vertex, shaders.fragment);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    const numbers = new Uint32Array(arrays.splats);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32UI, width, height, 0, gl.RGBA_INTEGER, gl.UNSIGNED_INT, numbers);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
      gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
    gl.uniform1i(this.at("splats"), 0);
    gl.uniform1f(this.at("varianceUnit"), scene.varianceUnit);
    this.places = new Float32Array(arrays.splats);  // the first three of eight numbers
    this.order = new Uint32Array(scene.count);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    const which = gl.getAttribLocation(this.program, "which");
    gl.enableVertexAttribArray(which);
    gl.vertexAttribIPointer(which, 1, gl.UNSIGNED_INT, 0, 0);
    gl.vertexAttribDivisor(which, 1);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  // Sorts splats from far to near, in buckets of depth.
  sort({ eye, frame }) {
    const count = this.scene.count, places = this.places, depths = new Float32Array(count);
    let near = Infinity, far = -Infinity;
    for (let i = 0; i < count; i++) {
      let depth = 0;
      for (let k = 0; k < 3; k++) depth += (places[8 * i + k] - eye[k]) * frame[6 + k];
      depths[i] = depth;
      near = Math.min(near, depth);
      far = Math.max(far, depth);
    }
    const buckets = 65536, ends = new Uint32Array(buckets), scale = (buckets - 1) / Math.max(far - near, 1e-9);
    const bucket = (i) => Math.floor((far - depths[i]) * scale);
    for (let i = 0; i < count; i++) ends[bucket(i)]++;
    for (let b = 1; b < buckets; b++) ends[b] += ends[b - 1];
    for (let i = count - 1; i >= 0; i--) this.order[--ends[bucket(i)]] = i;
  }

  drawScene(camera, background) {
    const gl = this.gl, { width, height } = this.target, pose = camera.pose();
    const seenFrom = pose.eye.join();
    if (this.sortedFor !== seenFrom) {
      this.sort(pose);
      gl.bufferData(gl.ARRAY_BUFFER, this.order, gl.DYNAMIC_DRAW);
      this.sortedFor = seenFrom;
    }
    gl.uniform3fv(this.at("eye"), pose.eye);
    gl.uniformMatrix3fv(this.at("frame"), false, pose.frame);
    gl.uniform2f(this.at("size"), width, height);
    gl.uniform1f(this.at("focal"), camera.focal() * Math.min(width, height));
    gl.clearColor(...background, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.scene.count);
    gl.disable(gl.BLEND);
  }
}
