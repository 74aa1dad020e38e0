"""Imports a .glb file into Blender and renders it with Cycles; runs in a process of its own.

Arguments: the file, the picture to write, its side, the focal length in image widths, and the
camera's 16 numbers cam2world (OpenCV's axes, y up), row by row.
"""

from __future__ import annotations

import sys

import bpy
from mathutils import Matrix

file, picture, size, focal = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
numbers = list(map(float, sys.argv[5:21]))
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=file)
scene = bpy.context.scene
pose = Matrix([numbers[row * 4 : row * 4 + 4] for row in range(4)])
z_up = Matrix(((1, 0, 0, 0), (0, 0, -1, 0), (0, 1, 0, 0), (0, 0, 0, 1)))
to_opengl = Matrix.Diagonal((1, -1, -1, 1))
lens = bpy.data.cameras.new("camera")
lens.sensor_width, lens.lens = 1.0, focal
camera = bpy.data.objects.new("camera", lens)
camera.matrix_world = z_up @ pose @ to_opengl
scene.collection.objects.link(camera)
scene.camera = camera
scene.render.engine = "CYCLES"
scene.cycles.samples = 4
scene.cycles.use_denoising = False
scene.view_settings.view_transform = "Standard"
scene.render.film_transparent = True
scene.render.resolution_x = scene.render.resolution_y = size
scene.render.image_settings.file_format = "PNG"
scene.render.image_settings.color_mode = "RGBA"
scene.render.filepath = picture
bpy.ops.render.render(write_still=True)
