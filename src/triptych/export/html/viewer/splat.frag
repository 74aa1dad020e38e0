#version 300 es
precision highp float;

in vec2 offset;
flat in vec3 conic;
flat in vec4 colour;
out vec4 pixel;

void main() {
  float distance = conic.x * offset.x * offset.x + conic.z * offset.y * offset.y;
  distance += 2.0 * conic.y * offset.x * offset.y;
  float alpha = min(0.99, colour.a * exp(-0.5 * distance));
  if (alpha * 255.0 < 1.0) discard;
  pixel = vec4(colour.rgb * alpha, alpha);
}
