// WebGL2: textures, program, and drawing a piece of a picture into a frame buffer.
const CORNERS = `#version 300 es
out vec2 place;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0;
  place = vec2(corner.x, -corner.y);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

class Renderer {
  constructor(canvas, scene, arrays, shader) {
    // Preserved: a moving picture stays on the canvas while the resting one is drawn elsewhere.
    const how = { antialias: false, alpha: false, preserveDrawingBuffer: true };
    const gl = canvas.getContext("webgl2", how);
    if (!gl) throw new Error("WebGL2 is not available");
    Object.assign(this, { canvas, scene, gl });
    this.program = this.link(defines(scene) + shader);
    this.uniforms = {};
    this.texture2D(arrays.planes);
    this.texture3D(arrays.occupied);
    this.decoder(arrays.decoder);
    this.constants();
    this.target = { texture: gl.createTexture(), buffer: gl.createFramebuffer(), width: 0, height: 0 };
  }

  link(fragment) {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, CORNERS], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
      const logs = gl.getAttachedShaders(program).map((shader) => gl.getShaderInfoLog(shader));
      throw new Error(`the shader does not compile: ${gl.getProgramInfoLog(program)} ${logs.join(" ")}`);
    }
    gl.useProgram(program);
    return program;
  }

  at(name) {
    if (!(name in this.uniforms)) this.uniforms[name] = this.gl.getUniformLocation(this.program, name);
    return this.uniforms[name];
  }

  texture2D(planes) {
    const gl = this.gl, kind = gl.TEXTURE_2D_ARRAY, [width, height] = this.scene.planeSize;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(kind, gl.createTexture());
    gl.texImage3D(kind, 0, gl.RGBA16F, width, height, 3 * this.scene.groups, 0, gl.RGBA,
                  gl.HALF_FLOAT, new Uint16Array(planes));
    this.sampling(kind, gl.LINEAR);
  }

  texture3D(bits) {
    const gl = this.gl, kind = gl.TEXTURE_3D, size = this.scene.gridSize;
    const packed = new Uint8Array(bits), cells = new Uint8Array(size ** 3);
    for (let i = 0; i < cells.length; i++) cells[i] = (packed[i >> 3] >> (i & 7)) & 1;
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(kind, gl.createTexture());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texImage3D(kind, 0, gl.R8UI, size, size, size, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, cells);
    this.sampling(kind, gl.NEAREST);
  }

  sampling(kind, filter) {
    const gl = this.gl;
    gl.texParameteri(kind, gl.TEXTURE_MIN_FILTER, filter);
    gl.texParameteri(kind, gl.TEXTURE_MAG_FILTER, filter);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R])
      gl.texParameteri(kind, side, gl.CLAMP_TO_EDGE);
  }

  decoder(numbers) {
    const gl = this.gl;
    gl.bindBuffer(gl.UNIFORM_BUFFER, gl.createBuffer());
    gl.bufferData(gl.UNIFORM_BUFFER, new Float32Array(numbers), gl.STATIC_DRAW);
    gl.bindBufferBase(gl.UNIFORM_BUFFER, 0, gl.getParameter(gl.UNIFORM_BUFFER_BINDING));
    gl.uniformBlockBinding(this.program, gl.getUniformBlockIndex(this.program, "Decoder"), 0);
  }

  constants() {
    const gl = this.gl, scene = this.scene;
    gl.uniform1i(this.at("planes"), 0);
    gl.uniform1i(this.at("occupied"), 1);
    gl.uniform2fv(this.at("planeSize"), scene.planeSize);
    for (const name of ["boxSize", "densityGain", "noDensity"]) gl.uniform1f(this.at(name), scene[name]);
    gl.uniform2f(this.at("limits"), scene.near, scene.far);
  }

  // Makes the frame buffer of a picture, whose old contents are lost where its size changes.
  resize(width, height) {
    const gl = this.gl, target = this.target;
    if (target.width === width && target.height === height) return;
    Object.assign(target, { width, height });
    gl.activeTexture(gl.TEXTURE2);
    gl.bindTexture(gl.TEXTURE_2D, target.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    gl.bindFramebuffer(gl.FRAMEBUFFER, target.buffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target.texture, 0);
  }

  // Draws rows from `first` on of the picture that a camera sees, and returns what waits for it.
  draw(camera, background, steps, first, rows) {
    const gl = this.gl, { width, height } = this.target, { eye, frame } = camera.pose();
    const side = 2 * camera.focal() * Math.min(width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.target.buffer);
    gl.viewport(0, 0, width, height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(0, height - first - rows, width, rows);
    gl.uniform3fv(this.at("eye"), eye);
    gl.uniformMatrix3fv(this.at("frame"), false, frame);
    gl.uniform2f(this.at("focal"), side / width, side / height);
    gl.uniform3fv(this.at("background"), background);
    gl.uniform1f(this.at("stepLength"), (this.scene.far - this.scene.near) / steps);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.disable(gl.SCISSOR_TEST);
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    return fence;
  }

  isDone(fence) {
    const gl = this.gl, state = gl.clientWaitSync(fence, 0, 0);
    if (state === gl.TIMEOUT_EXPIRED) return false;
    gl.deleteSync(fence);
    return true;
  }

  // Shows the picture on the canvas, whatever the canvas's size.
  present() {
    const gl = this.gl, { width, height, buffer } = this.target;
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, buffer);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
    gl.blitFramebuffer(0, 0, width, height, 0, 0, this.canvas.width, this.canvas.height,
                       gl.COLOR_BUFFER_BIT, gl.LINEAR);
  }

  // Returns the picture's pixels, top row first.
  pixels() {
    const gl = this.gl, { width, height, buffer } = this.target;
    const bottomUp = new Uint8Array(4 * width * height), picture = new ImageData(width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, buffer);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, bottomUp);
    for (let row = 0; row < height; row++) {
      const from = 4 * width * (height - 1 - row);
      picture.data.set(bottomUp.subarray(from, from + 4 * width), 4 * width * row);
    }
    return picture;
  }
}

function defines(scene) {
  const letters = "xyz", lines = ["#version 300 es", `#define GROUPS ${scene.groups}`,
    `#define HIDDEN ${scene.hidden}`, `#define GRID ${scene.gridSize}`];
  scene.axes.forEach(([across, down], plane) =>
    lines.push(`#define AXIS_${plane} ${letters[across]}${letters[down]}`));
  if (scene.beyondBox === "empty") lines.push("#define BEYOND_EMPTY");
  return lines.join("\n") + "\n";
}
