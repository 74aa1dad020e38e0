// WebGL2: a canvas, a program, and a frame buffer that a picture is drawn into piece by piece.
class LiveCanvas {
  constructor(canvas, scene) {
    // Preserved: a moving picture stays on the canvas while the resting one is drawn elsewhere.
    const how = { antialias: false, alpha: false, preserveDrawingBuffer: true };
    const gl = canvas.getContext("webgl2", how);
    if (!gl) throw new Error("WebGL2 is not available");
    Object.assign(this, { canvas, scene, gl, uniforms: {} });
    this.target = { texture: gl.createTexture(), buffer: gl.createFramebuffer(), width: 0, height: 0 };
  }

  link(vertex, fragment) {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
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
    const gl = this.gl, { width, height } = this.target;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.target.buffer);
    gl.viewport(0, 0, width, height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(0, height - first - rows, width, rows);
    this.drawScene(camera, background, steps);
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
