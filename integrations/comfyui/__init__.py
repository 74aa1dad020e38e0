"""ComfyUI nodes of Triptych: ComfyUI calls `comfy_entrypoint` when it starts."""

from .nodes import comfy_entrypoint

__all__ = ["comfy_entrypoint"]
