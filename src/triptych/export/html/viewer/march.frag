// One ray per pixel through the tri-planes, composited by EG3D's midpoint rule.
// GROUPS, HIDDEN, GRID, AXIS_0..2 (pairs of coordinates) and BEYOND_EMPTY are defined in front.
precision highp float;
precision highp int;
precision highp sampler2DArray;
precision highp usampler3D;

uniform sampler2DArray planes;
uniform usampler3D occupied;
uniform vec2 planeSize;
uniform float boxSize;
uniform float densityGain;
uniform float noDensity;
uniform vec2 limits;      // where rays start and end
uniform float stepLength;
uniform vec3 eye;
uniform mat3 frame;       // right, down, forward
uniform vec2 focal;       // in halves of the picture's sides
uniform vec3 background;

layout(std140) uniform Decoder {
  vec4 first[HIDDEN * GROUPS];
  vec4 firstBias[HIDDEN / 4];
  vec4 last[HIDDEN];
  vec4 lastBias;
};

in vec2 place;            // -1 to 1, x right, y down
out vec4 pixel;

float softplus(float x) { return x > 20.0 ? x : log(1.0 + exp(x)); }

// The part of a texel at the edge that zeros beyond the plane leave.
float inside(vec2 at) {
  vec2 left = clamp(0.5 + 0.5 * planeSize * (1.0 - abs(at)), 0.0, 1.0);
  return left.x * left.y;
}

vec4 texel(vec2 at, int layer) { return texture(planes, vec3(at * 0.5 + 0.5, float(layer))); }

// Raw density and colour of a point.
vec4 query(vec3 point) {
  vec3 at = point * (2.0 / boxSize);
  vec3 weight = vec3(inside(at.AXIS_0), inside(at.AXIS_1), inside(at.AXIS_2)) / 3.0;
  vec4 features[GROUPS];
  for (int g = 0; g < GROUPS; g++)
    features[g] = weight.x * texel(at.AXIS_0, g) + weight.y * texel(at.AXIS_1, GROUPS + g)
                + weight.z * texel(at.AXIS_2, 2 * GROUPS + g);
  vec4 decoded = lastBias;
  for (int h = 0; h < HIDDEN; h++) {
    float sum = firstBias[h >> 2][h & 3];
    for (int g = 0; g < GROUPS; g++) sum += dot(first[h * GROUPS + g], features[g]);
    decoded += softplus(sum) * last[h];
  }
#ifdef BEYOND_EMPTY
  if (any(greaterThan(abs(at), vec3(1.0)))) decoded.x = noDensity;
#endif
  return vec4(decoded.x, 1.002 / (1.0 + exp(-decoded.yzw)) - 0.001);
}

// The distance to where the ray leaves the cell of a grid that has one cell beyond the cube.
float cellExit(vec3 cell, ivec3 index, vec3 direction, float cellSize) {
  vec3 ahead = mix(vec3(index), vec3(index + 1), step(0.0, direction)) - cell;
  bvec3 endless = bvec3(abs(direction.x) < 1e-6, abs(direction.y) < 1e-6, abs(direction.z) < 1e-6);
  for (int k = 0; k < 3; k++) {
    bool outwards = direction[k] > 0.0 ? index[k] == GRID - 1 : index[k] == 0;
    if (endless[k] || outwards) ahead[k] = 1e9;
    else ahead[k] = ahead[k] / direction[k];
  }
  return min(min(ahead.x, ahead.y), ahead.z) * cellSize;
}

void main() {
  vec3 direction = normalize(frame * vec3(place / focal, 1.0));
  float start = limits.x, end = limits.y;
#ifdef BEYOND_EMPTY
  vec3 one = (-0.5 * boxSize - eye) / direction, other = (0.5 * boxSize - eye) / direction;
  vec3 enters = min(one, other), leaves = max(one, other);
  start = max(start, max(max(enters.x, enters.y), enters.z));
  end = min(end, min(min(leaves.x, leaves.y), leaves.z));
#endif
  float cellSize = boxSize / float(GRID - 2);
  float light = 1.0, depth = start;
  vec3 colour = vec3(0.0);
  vec4 before = vec4(0.0);
  bool follows = false;
  for (int i = 0; i < 4096; i++) {
    if (depth > end || light < 0.002) break;
    vec3 point = eye + depth * direction;
    vec3 cell = point / cellSize + 0.5 * float(GRID);
    ivec3 index = clamp(ivec3(floor(cell)), ivec3(0), ivec3(GRID - 1));
    if (texelFetch(occupied, index, 0).r == 0u) {
      depth += max(1.0, ceil(cellExit(cell, index, direction, cellSize) / stepLength)) * stepLength;
      follows = false;
      continue;
    }
    vec4 here = query(point);
    if (follows) {
      float density = softplus(0.5 * (here.x + before.x) - 1.0) * densityGain;
      float alpha = 1.0 - exp(-density * stepLength);
      colour += light * alpha * 0.5 * (here.yzw + before.yzw);
      light *= 1.0 - alpha;
    }
    before = here;
    follows = true;
    depth += stepLength;
  }
  pixel = vec4(colour + light * background, 1.0);
}
