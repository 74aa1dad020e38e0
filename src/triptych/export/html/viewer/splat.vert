#version 300 es
// A splat as the rectangle around the ellipse within which it counts.
precision highp float;
precision highp usampler2D;

uniform usampler2D splats;   // two texels each: place and colour; variances in halves
uniform float varianceUnit;
uniform vec3 eye;
uniform mat3 frame;          // right, down, forward
uniform vec2 size;           // of the picture, in pixels
uniform float focal;         // in pixels

in uint which;
out vec2 offset;             // from the splat's centre, in pixels
flat out vec3 conic;
flat out vec4 colour;

void main() {
  int row = textureSize(splats, 0).x / 2;
  ivec2 at = ivec2(2 * (int(which) % row), int(which) / row);
  uvec4 place = texelFetch(splats, at, 0), spread = texelFetch(splats, at + ivec2(1, 0), 0);
  vec3 local = (uintBitsToFloat(place.xyz) - eye) * frame;
  colour = vec4((uvec4(place.w) >> uvec4(0u, 8u, 16u, 24u)) & 255u) / 255.0;
  gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  if (local.z < 0.01 || colour.a * 255.0 < 1.0) return;
  vec2 one = unpackHalf2x16(spread.x), two = unpackHalf2x16(spread.y), three = unpackHalf2x16(spread.z);
  mat3 variance = mat3(one.x, one.y, two.x, one.y, two.y, three.x, two.x, three.x, three.y) * varianceUnit;
  vec3 across = focal / local.z * (frame[0] - frame[2] * local.x / local.z);
  vec3 down = focal / local.z * (frame[1] - frame[2] * local.y / local.z);
  float xx = dot(across, variance * across) + 0.3, yy = dot(down, variance * down) + 0.3;
  float xy = dot(across, variance * down);
  conic = vec3(yy, -xy, xx) / max(xx * yy - xy * xy, 1e-12);
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
  offset = corner * sqrt(2.0 * log(colour.a * 255.0) * vec2(xx, yy));
  vec2 pixel = focal * local.xy / local.z + 0.5 * size + offset;
  gl_Position = vec4((pixel / size * 2.0 - 1.0) * vec2(1.0, -1.0), 0.0, 1.0);
}
