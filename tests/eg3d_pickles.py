"""Files as EG3D and projects derived from it write them, around weights of our own.

Nothing here is EG3D's code: the class and module names are the published ones, the classes under
them are empty. The modules exist only while a file is being written.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from triptych.models.eg3d import (
    BackboneConfig,
    DecoderConfig,
    EG3DConfig,
    MappingConfig,
    TriPlaneGenerator,
)
from triptych.nn.discriminator import DiscriminatorConfig, DualDiscriminator
from triptych.nn.superresolution import SuperResolutionConfig
from triptych.render.renderer import RenderConfig

LEGACY_PLANES = [
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [[1, 0, 0], [0, 0, 1], [0, 1, 0]],
    [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
]
CORRECTED_PLANES = [*LEGACY_PLANES[:2], [[0, 0, 1], [0, 1, 0], [1, 0, 0]]]
SOURCE = "raise RuntimeError('stored source text was run')\n".ljust(600, "#")
_PLAIN_CLASSES = {
    "OSGDecoder": "training.triplane",
    "ImportanceRenderer": "training.volumetric_rendering.renderer",
    "MipRayMarcher2": "training.volumetric_rendering.ray_marcher",
    "RaySampler": "training.volumetric_rendering.ray_sampler",
}


def tiny_eg3d_config(**changes: Any) -> EG3DConfig:
    """Return a generator of EG3D's structure and toy size."""
    values: dict[str, Any] = {
        "z_dim": 8,
        "w_dim": 16,
        "image_size": 128,
        "render_size": 12,
        "mapping": MappingConfig(embed_features=6, layer_features=10),
        "backbone": BackboneConfig(
            plane_size=16, plane_channels=4, channel_base=128, channel_max=8
        ),
        "decoder": DecoderConfig(num_hidden=8, num_features=8),
        "rendering": RenderConfig(num_coarse=8, num_fine=8),
        "superresolution": SuperResolutionConfig(kind="2X", widths=(4, 4)),
    }
    return EG3DConfig(**{**values, **changes})


def tiny_eg3d(config: EG3DConfig | None = None) -> TriPlaneGenerator:
    """Return a toy generator in which every tensor differs from its initial value."""
    rng = torch.Generator().manual_seed(7)
    generator = TriPlaneGenerator(config or tiny_eg3d_config(), rng=rng)
    with torch.no_grad():
        for name, tensor in generator.state_dict().items():
            if not name.endswith("resample_filter"):
                tensor.add_(torch.randn(tensor.shape, generator=rng), alpha=0.1)
    return generator.eval().requires_grad_(False)


def tiny_discriminator() -> DualDiscriminator:
    """Return a toy discriminator."""
    config = DiscriminatorConfig(image_size=16, channel_base=64, channel_max=8)
    return DualDiscriminator(config, rng=torch.Generator().manual_seed(9)).eval()


def rendering_options(config: EG3DConfig) -> dict[str, Any]:
    """Return a configuration's rendering options in EG3D's terms."""
    rendering, head = config.rendering, config.superresolution
    options = {
        "image_resolution": config.image_size,
        "disparity_space_sampling": rendering.disparity_sampling,
        "clamp_mode": "softplus",
        "superresolution_module": f"training.superresolution.SuperresolutionHybrid{head.kind}",
        "c_gen_conditioning_zero": config.mapping.zero_label,
        "gpc_reg_prob": 0.5,
        "c_scale": config.mapping.label_scale,
        "superresolution_noise_mode": head.noise_mode,
        "density_reg": 0.25,
        "density_reg_p_dist": 0.004,
        "reg_type": "l1",
        "decoder_lr_mul": config.decoder.lr_multiplier,
        "sr_antialias": head.antialias,
        "depth_resolution": rendering.num_coarse,
        "depth_resolution_importance": rendering.num_fine,
        "ray_start": rendering.ray_start,
        "ray_end": rendering.ray_end,
        "box_warp": config.box_size,
        "avg_camera_radius": config.view.radius,
        "avg_camera_pivot": list(config.view.target),
    }
    if rendering.background == 1.0:
        options["white_back"] = True
    return options


def generator_arguments(config: EG3DConfig) -> dict[str, Any]:
    """Return a configuration in the terms of EG3D's constructor."""
    mapping, backbone = config.mapping, config.backbone
    return {
        "z_dim": config.z_dim,
        "c_dim": config.label_dim,
        "w_dim": config.w_dim,
        "img_resolution": config.image_size,
        "img_channels": 3,
        "mapping_kwargs": {
            "num_layers": mapping.num_layers,
            "embed_features": mapping.embed_features,
            "layer_features": mapping.layer_features,
        },
        "channel_base": backbone.channel_base,
        "channel_max": backbone.channel_max,
        "fused_modconv_default": "inference_only",
        "num_fp16_res": 0,
        "conv_clamp": backbone.conv_clamp,
        "sr_num_fp16_res": 4 if config.superresolution.conv_clamp else 0,
        "sr_kwargs": {"channel_base": 1, "channel_max": 1, "fused_modconv_default": False},
        "rendering_kwargs": rendering_options(config),
    }


def discriminator_arguments(config: DiscriminatorConfig) -> dict[str, Any]:
    """Return a configuration in the terms of EG3D's dual discriminator."""
    return {
        "c_dim": config.label_dim,
        "img_resolution": config.image_size,
        "img_channels": 3,
        "channel_base": config.channel_base,
        "channel_max": config.channel_max,
        "num_fp16_res": 4,
        "conv_clamp": config.conv_clamp,
        "disc_c_noise": 0,
        "block_kwargs": {"freeze_layers": 0},
        "mapping_kwargs": {},
        "epilogue_kwargs": {"mbstd_group_size": config.group_size},
    }


_STATE_OF_TORCH_1 = (
    *("training", "_parameters", "_buffers", "_backward_hooks", "_forward_hooks"),
    *("_forward_pre_hooks", "_state_dict_hooks", "_load_state_dict_pre_hooks", "_modules"),
)


class EG3DWriter:
    """Builds records with the published names.

    Args:
        torch_1: Modules have only the attributes that they had in torch 1.
    """

    def __init__(self, torch_1: bool = False) -> None:
        self._torch_1 = torch_1
        self._modules = {
            name: ModuleType(name)
            for name in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")
        }
        for name in _PLAIN_CLASSES.values():
            for depth in range(1, name.count(".") + 2):
                part = ".".join(name.split(".")[:depth])
                self._modules.setdefault(part, ModuleType(part))
        self._reconstruct = _named("_reconstruct_persistent_obj", "torch_utils.persistence")
        self._modules["torch_utils.persistence"]._reconstruct_persistent_obj = self._reconstruct
        self._easy_dict = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})
        self._modules["dnnlib.util"].EasyDict = self._easy_dict
        self._classes: dict[str, type[nn.Module]] = {}
        for name, module in _PLAIN_CLASSES.items():
            made = type(name, (nn.Module,), {"__module__": module})
            setattr(self._modules[module], name, made)
            self._classes[name] = made

    @contextlib.contextmanager
    def registered(self) -> Iterator[None]:
        """Let pickle find the names."""
        with _importable(self._modules):
            yield

    def persistent(self, class_name: str, source: nn.Module | None, **state: Any) -> nn.Module:
        """Return a module that is pickled as EG3D's persistence module does."""
        reconstruct = self._reconstruct
        kept = _STATE_OF_TORCH_1 if self._torch_1 else None

        class Persistent(nn.Module):
            def __reduce_ex__(self, protocol: int) -> Any:
                meta = {
                    "type": "class",
                    "version": 6,
                    "module_src": SOURCE,
                    "class_name": class_name,
                    "state": {
                        name: value
                        for name, value in self.__dict__.items()
                        if kept is None or name in kept or name not in vars(nn.Module())
                    },
                }
                return reconstruct, (meta,)

        made = Persistent()
        _take_tensors(made, source)
        made.__dict__.update({"_init_args": (), "_init_kwargs": self._easy_dict(), **state})
        return made

    def plain(self, class_name: str, **state: Any) -> nn.Module:
        """Return a module that is pickled by reference to its class."""
        made = self._classes[class_name]()
        made.__dict__.update(state)
        return made

    def copy(self, class_name: str, source: nn.Module) -> nn.Module:
        """Return a persistent copy of a module of ours, with all its parts."""
        made = self.persistent(
            class_name, source, weight_gain=np.float64(0.5), act_gain=np.sqrt(2.0)
        )
        for name, child in source.named_children():
            made.add_module(name, self.copy(type(child).__name__, child))
        return made.eval()

    def generator(
        self, ours: TriPlaneGenerator, planes: Any = LEGACY_PLANES, **state: Any
    ) -> nn.Module:
        """Return a generator as EG3D's training writes it."""
        arguments = generator_arguments(ours.config)
        made = self.persistent(
            "TriPlaneGenerator",
            None,
            **{
                "_init_kwargs": self._easy_dict(arguments),
                "neural_rendering_resolution": ours.config.render_size,
                "rendering_kwargs": self._easy_dict(arguments["rendering_kwargs"]),
                "_last_planes": None,
                **state,
            },
        )
        marcher = self.plain("MipRayMarcher2")
        renderer = self.plain(
            "ImportanceRenderer", plane_axes=torch.tensor(planes, dtype=torch.float32)
        )
        renderer.ray_marcher = marcher
        made.add_module("renderer", renderer)
        made.add_module("ray_sampler", self.plain("RaySampler"))
        made.add_module("backbone", self.copy("Generator", ours.backbone))
        head = f"SuperresolutionHybrid{ours.config.superresolution.kind}"
        made.add_module("superresolution", self.copy(head, ours.superresolution))
        decoder = self.plain("OSGDecoder", hidden_dim=64)
        first, activation, last = ours.decoder.net
        linear = "FullyConnectedLayer"
        decoder.net = nn.Sequential(self.copy(linear, first), activation, self.copy(linear, last))
        made.add_module("decoder", decoder)
        made.register_buffer("dataset_label_std", torch.linspace(0, 1, 25))
        return made.eval()

    def discriminator(self, ours: DualDiscriminator) -> nn.Module:
        """Return a discriminator as EG3D's training writes it."""
        made = self.copy("DualDiscriminator", ours)
        made.__dict__["_init_kwargs"] = self._easy_dict(discriminator_arguments(ours.config))
        return made

    def snapshot(self, ours: TriPlaneGenerator, planes: Any = LEGACY_PLANES) -> dict[str, Any]:
        """Return what a network pickle holds; G differs from G_ema."""
        other = tiny_eg3d(ours.config)
        with torch.no_grad():
            other.backbone.mapping.w_avg.add_(1.0)
        return {
            "training_set_kwargs": self._easy_dict(
                class_name="training.dataset.ImageFolderDataset", path="faces.zip", resolution=512
            ),
            "G": self.generator(other, planes),
            "D": self.discriminator(tiny_discriminator()),
            "G_ema": self.generator(ours, planes),
            "augment_pipe": self.persistent("AugmentPipe", None, p=0.25),
        }

    def dumps(self, value: Any, protocol: int = 4, numpy_1: bool = False) -> bytes:
        """Pickle while the names exist.

        Args:
            value: What to pickle.
            protocol: EG3D writes 4.
            numpy_1: Name numpy's functions as numpy 1 did.
        """
        stream = io.BytesIO()
        with self.registered(), _numpy_1_modules() if numpy_1 else contextlib.nullcontext():
            (_Numpy1Pickler if numpy_1 else pickle.Pickler)(stream, protocol).dump(value)
        return stream.getvalue()


def eg3d_pickle(
    ours: TriPlaneGenerator,
    protocol: int = 4,
    numpy_1: bool = False,
    torch_1: bool = False,
    planes: Any = LEGACY_PLANES,
) -> bytes:
    """Return a network pickle with a generator of ours as G_ema."""
    writer = EG3DWriter(torch_1)
    return writer.dumps(writer.snapshot(ours, planes), protocol, numpy_1)


def derived_file(ours: TriPlaneGenerator, **changes: Any) -> dict[str, Any]:
    """Return what projects derived from EG3D save with torch."""
    return {
        "G_ema": dict(ours.state_dict()),
        "init_args": (),
        "init_kwargs": generator_arguments(ours.config),
        "rendering_kwargs": rendering_options(ours.config),
        "neural_rendering_resolution": ours.config.render_size,
        "latent_avg": torch.zeros(1, 3, ours.config.w_dim),
        **changes,
    }


def _take_tensors(made: nn.Module, source: nn.Module | None) -> None:
    if source is None:
        return
    for name, parameter in source._parameters.items():
        made.register_parameter(name, nn.Parameter(parameter.detach().clone(), False))
    for name, buffer in source._buffers.items():
        made.register_buffer(name, buffer.detach().clone())


def _named(name: str, module: str) -> Any:
    def function(*arguments: Any) -> None:
        raise AssertionError("never called")

    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    return function


_NUMPY_1 = "numpy.core.multiarray"
_SCALAR, _RECONSTRUCT = _named("scalar", _NUMPY_1), _named("_reconstruct", _NUMPY_1)


class _Numpy1Pickler(pickle._Pickler):
    """Writes numpy's values under the module names of numpy 1."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, np.generic):
            return _SCALAR, value.__reduce__()[1]
        if isinstance(value, np.ndarray):
            return _RECONSTRUCT, (np.ndarray, (0,), b"b"), value.__reduce__()[2]
        return NotImplemented


@contextlib.contextmanager
def _numpy_1_modules() -> Iterator[None]:
    stand_in = ModuleType(_NUMPY_1)
    stand_in.scalar, stand_in._reconstruct = _SCALAR, _RECONSTRUCT
    package = ModuleType("numpy.core")
    names = {"numpy.core": package, _NUMPY_1: stand_in}
    with _importable(names):
        yield


@contextlib.contextmanager
def _importable(modules: dict[str, ModuleType]) -> Iterator[None]:
    """Put modules where imports find them, and back what was there."""
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
