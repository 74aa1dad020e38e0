// Tri-planes: textures, decoder, and a ray per pixel.
const CORNERS = `#version 300 es
out vec2 place;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0;
  place = vec2(corner.x, -corner.y);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

class PlaneRenderer extends LiveCanvas {
  constructor(canvas, scene, arrays, shaders) {
    super(canvas, scene);
    this.program = this.link(CORNERS, defines(scene) + shaders.fragment);
    this.texture2D(arrays.planes);
    this.texture3D(arrays.occupied);
    this.decoder(arrays.decoder);
    this.constants();
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

  drawScene(camera, background, steps) {
    const gl = this.gl, { width, height } = this.target, { eye, frame } = camera.pose();
    const side = 2 * camera.focal() * Math.min(width, height);
    gl.uniform3fv(this.at("eye"), eye);
    gl.uniformMatrix3fv(this.at("frame"), false, frame);
    gl.uniform2f(this.at("focal"), side / width, side / height);
    gl.uniform3fv(this.at("background"), background);
    gl.uniform1f(this.at("stepLength"), (this.scene.far - this.scene.near) / steps);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
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
