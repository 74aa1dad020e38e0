"""Compiled rasteriser: z-buffer with barycentrics, shadow depth maps, light sums, resolve."""

from __future__ import annotations

import math

import numpy as np

from triptych.avatars.geometry.materials import HAIR_CARDS, HAIR_SHELL, NUM_REGIONS
from triptych.avatars.shading.noise import layered_noise, value_noise
from triptych.ops.kernel_cache import compiled

# Strand pattern of hair cards, shared with the shading kernel.
STRANDS_PER_UV = 60.0
STRAND_PHASE = 15.0
_TIP_CUT = 0.03
_THINNING = 0.30


@compiled(fastmath=True)
def hair_is_open(u, v, solid, is_card):
    """Tell whether hair is cut away at (u, v): ragged hairline and tips, sparse gaps near tips."""
    if solid < 0.98:
        strand = layered_noise(u * STRANDS_PER_UV, v * 2.5 + 7.7, STRAND_PHASE, 2)
        if 0.18 + 0.64 * strand > solid:
            return True
    if not is_card or v > 0.5:
        return False
    cut = _TIP_CUT * (0.55 + 0.9 * value_noise(u * STRANDS_PER_UV * 0.6, STRAND_PHASE + 3.1, 0.5))
    if v < cut:
        return True
    strand = layered_noise(u * STRANDS_PER_UV, v * 2.5, STRAND_PHASE, 2)
    return strand < _THINNING * (1 - 2 * v)


@compiled()
def _exists(a, b, c, count):
    """Say whether three vertex ids are below `count`: broken assets may name others."""
    return min(a, min(b, c)) >= 0 and max(a, max(b, c)) < count


@compiled(fastmath=True)
def rasterise(
    x, y, inverse_depth, triangles, materials, uv, nearest, owner, bary_first, bary_second
):
    """Fill a z-buffer; triangles of vertices that do not exist are left out.

    Args:
        x: Pixel coordinates [n]; pixel centres lie at half integers.
        y: Pixel coordinates [n].
        inverse_depth: 1 / camera z [n].
        triangles: Vertex ids [m, 3].
        materials: Material of each triangle [m].
        uv: Strand coordinates and solidity [n, 3], read for hair only.
        nearest: Greatest inverse depth [h, w]; start with zeros.
        owner: Triangle seen [h, w]; start with -1.
        bary_first: Perspective-correct weight of the first corner [h, w].
        bary_second: Perspective-correct weight of the second corner [h, w].
    """
    height, width = owner.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if not _exists(a, b, c, len(x)):
            continue
        x0, y0, x1, y1, x2, y2 = x[a], y[a], x[b], y[b], x[c], y[c]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0.0:
            continue
        left = max(0, int(math.ceil(min(x0, min(x1, x2)) - 0.5)))
        right = min(width - 1, int(math.floor(max(x0, max(x1, x2)) - 0.5)))
        top = max(0, int(math.ceil(min(y0, min(y1, y2)) - 0.5)))
        bottom = min(height - 1, int(math.floor(max(y0, max(y1, y2)) - 0.5)))
        if right < left or bottom < top:
            continue
        per_area = 1.0 / area
        z0, z1, z2 = inverse_depth[a], inverse_depth[b], inverse_depth[c]
        for row in range(top, bottom + 1):
            py = row + 0.5
            for column in range(left, right + 1):
                px = column + 0.5
                w0 = ((x1 - px) * (y2 - py) - (x2 - px) * (y1 - py)) * per_area
                if w0 < 0:
                    continue
                w1 = ((x2 - px) * (y0 - py) - (x0 - px) * (y2 - py)) * per_area
                if w1 < 0:
                    continue
                w2 = 1 - w0 - w1
                if w2 < 0:
                    continue
                z = w0 * z0 + w1 * z1 + w2 * z2
                if z <= nearest[row, column]:
                    continue
                p0 = w0 * z0 / z
                p1 = w1 * z1 / z
                if materials[t] == HAIR_CARDS or materials[t] == HAIR_SHELL:  # noqa: SIM109
                    p2 = 1 - p0 - p1
                    u = p0 * uv[a, 0] + p1 * uv[b, 0] + p2 * uv[c, 0]
                    v = p0 * uv[a, 1] + p1 * uv[b, 1] + p2 * uv[c, 1]
                    solid = p0 * uv[a, 2] + p1 * uv[b, 2] + p2 * uv[c, 2]
                    if hair_is_open(u, v, solid, materials[t] == HAIR_CARDS):
                        continue
                nearest[row, column] = z
                owner[row, column] = t
                bary_first[row, column] = p0
                bary_second[row, column] = p1


@compiled(fastmath=True)
def rasterise_towards(points, triangles, axes, per_unit, height_map):
    """Draw the greatest coordinate along axes[2] into a square map seen along that axis.

    Args:
        points: Positions [n, 3] about the map centre.
        triangles: Vertex ids [m, 3].
        axes: Orthonormal rows [3, 3]: map x, map y, towards the light.
        per_unit: Map pixels per world unit.
        height_map: [r, r], updated.
    """
    size = height_map.shape[0]
    half = 0.5 * size
    count = points.shape[0]
    px = np.empty(count, np.float32)
    py = np.empty(count, np.float32)
    pz = np.empty(count, np.float32)
    for i in range(count):
        vx, vy, vz = points[i, 0], points[i, 1], points[i, 2]
        px[i] = (vx * axes[0, 0] + vy * axes[0, 1] + vz * axes[0, 2]) * per_unit + half
        py[i] = (vx * axes[1, 0] + vy * axes[1, 1] + vz * axes[1, 2]) * per_unit + half
        pz[i] = vx * axes[2, 0] + vy * axes[2, 1] + vz * axes[2, 2]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if not _exists(a, b, c, count):
            continue
        x0, y0, x1, y1, x2, y2 = px[a], py[a], px[b], py[b], px[c], py[c]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0.0:
            continue
        left = max(0, int(math.ceil(min(x0, min(x1, x2)) - 0.5)))
        right = min(size - 1, int(math.floor(max(x0, max(x1, x2)) - 0.5)))
        top = max(0, int(math.ceil(min(y0, min(y1, y2)) - 0.5)))
        bottom = min(size - 1, int(math.floor(max(y0, max(y1, y2)) - 0.5)))
        if right < left or bottom < top:  # the length of such a range may overflow
            continue
        per_area = 1.0 / area
        for row in range(top, bottom + 1):
            qy = row + 0.5
            for column in range(left, right + 1):
                qx = column + 0.5
                w0 = ((x1 - qx) * (y2 - qy) - (x2 - qx) * (y1 - qy)) * per_area
                if w0 < 0:
                    continue
                w1 = ((x2 - qx) * (y0 - qy) - (x0 - qx) * (y2 - qy)) * per_area
                if w1 < 0 or w0 + w1 > 1:
                    continue
                z = w0 * pz[a] + w1 * pz[b] + (1 - w0 - w1) * pz[c]
                if z > height_map[row, column]:
                    height_map[row, column] = z


@compiled(fastmath=True)
def gather_light(
    points, normals, axes, per_unit, height_map, bias, wrap, radiance, irradiance, openness
):
    """Add the light of one direction to every receiver.

    Args:
        points: Receivers [n, 3] about the map centre, lifted off their surface.
        normals: [n, 3].
        axes: As in `rasterise_towards`.
        per_unit: Map pixels per world unit.
        height_map: Shadow map [r, r] of that direction.
        bias: How far below the map a receiver still counts as lit.
        wrap: How far light wraps around the horizon, per channel [n, 3].
        radiance: Light of the direction [3].
        irradiance: Sum to add to [n, 3].
        openness: Sum of visible cosines to add to [n].
    """
    size = height_map.shape[0]
    half = 0.5 * size
    for i in range(points.shape[0]):
        vx, vy, vz = points[i, 0], points[i, 1], points[i, 2]
        x = (vx * axes[0, 0] + vy * axes[0, 1] + vz * axes[0, 2]) * per_unit + half - 0.5
        y = (vx * axes[1, 0] + vy * axes[1, 1] + vz * axes[1, 2]) * per_unit + half - 0.5
        z = vx * axes[2, 0] + vy * axes[2, 1] + vz * axes[2, 2] + bias
        cosine = (
            normals[i, 0] * axes[2, 0] + normals[i, 1] * axes[2, 1] + normals[i, 2] * axes[2, 2]
        )
        column = int(math.floor(x))
        row = int(math.floor(y))
        visible = 0.0
        if column < 0 or row < 0 or column >= size - 1 or row >= size - 1:
            visible = 1.0
        else:
            u = x - column
            v = y - row
            if height_map[row, column] <= z:
                visible += (1 - u) * (1 - v)
            if height_map[row, column + 1] <= z:
                visible += u * (1 - v)
            if height_map[row + 1, column] <= z:
                visible += (1 - u) * v
            if height_map[row + 1, column + 1] <= z:
                visible += u * v
        if cosine > 0:
            openness[i] += visible * cosine
        for channel in range(3):
            lift = wrap[i, channel]
            share = (cosine + lift) / (1 + lift)
            if share > 0:
                irradiance[i, channel] += share * visible * radiance[channel]


@compiled(fastmath=True)
def resolve(colour, region, owner, nearest, factor, background, rgb, alpha, depth, regions):
    """Average `factor` x `factor` samples into pixels.

    Args:
        colour: Linear light [h * factor, w * factor, 3].
        region: Region of each sample.
        owner: Triangle of each sample, -1 where empty.
        nearest: Inverse depth of each sample.
        factor: Samples per pixel side.
        background: sRGB grey 0..1 behind the head.
        rgb: Picture uint8 [h, w, 3], written.
        alpha: Share of covered samples [h, w], written.
        depth: Mean camera z of the covered samples [h, w], 0 where empty, written.
        regions: Most frequent region [h, w], written.
    """
    votes = np.zeros(NUM_REGIONS, np.int32)
    per_sample = 1.0 / (factor * factor)
    for row in range(alpha.shape[0]):
        for column in range(alpha.shape[1]):
            red = green = blue = far = 0.0
            covered = 0
            votes[:] = 0
            for sub_row in range(row * factor, row * factor + factor):
                for sub in range(column * factor, column * factor + factor):
                    votes[min(region[sub_row, sub], NUM_REGIONS - 1)] += 1
                    if owner[sub_row, sub] >= 0:
                        covered += 1
                        far += 1.0 / nearest[sub_row, sub]
                        red += min(1.3, max(0.0, colour[sub_row, sub, 0]))
                        green += min(1.3, max(0.0, colour[sub_row, sub, 1]))
                        blue += min(1.3, max(0.0, colour[sub_row, sub, 2]))
            winner = 0
            for candidate in range(NUM_REGIONS):
                if votes[candidate] > votes[winner]:
                    winner = candidate
            regions[row, column] = winner
            cover = covered * per_sample
            alpha[row, column] = cover
            count = max(covered, 1)
            depth[row, column] = far / count
            rgb[row, column, 0] = _display(red / count, cover, background)
            rgb[row, column, 1] = _display(green / count, cover, background)
            rgb[row, column, 2] = _display(blue / count, cover, background)


@compiled(fastmath=True)
def _display(light, cover, background):
    """Tone-map linear light, encode it as sRGB and lay it over the background: 0..255."""
    light = light * (1 + light * 0.06) / (1 + light * 0.16)
    encoded = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    value = encoded * cover + background * (1 - cover)
    return np.uint8(min(255.0, max(0.0, value * 255 + 0.5)))
