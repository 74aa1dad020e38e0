"""Published checkpoints: where each is, its licence, its length and its hash where known.

NVIDIA publishes neither lengths nor hashes of EG3D's files. Those recorded here are stated by
public pages that hold copies of the same files; the page is named beside each. Unknown values are
empty.
"""

from __future__ import annotations

from dataclasses import dataclass

EG3D_PAGE = "https://catalog.ngc.nvidia.com/orgs/nvidia/teams/research/models/eg3d"
EG3D_LICENCE = "NVIDIA Source Code License for EG3D (non-commercial)"
EG3D_LICENCE_PAGE = "https://github.com/NVlabs/eg3d/blob/main/LICENSE.txt"
THREE_D_PSP_PAGE = "https://github.com/KyungWonCho/3DpSp"
THREE_D_PSP_LICENCE = "MIT License of 3DpSp"
CNERF_PAGE = "https://github.com/TianxiangMa/CNeRF"
CNERF_LICENCE = "licence of CNeRF, which is StyleSDF's (non-commercial, share-alike)"
THREE_D_PE_PAGE = "https://github.com/EzioBy/3dpe"
THREE_D_PE_LICENCE = (
    "Apache License 2.0 of 3DPE, whose parts from EG3D, SegFormer and MAE are non-commercial"
)
PSTYLE_PAGE = "https://github.com/Alan0693/PStyle-3D"
PSTYLE_LICENCE = "terms of PStyle-3D, which states none, and EG3D's (non-commercial)"
LIVE3D_PAGE = "https://github.com/Dong142857/Live3DPortrait"
LIVE3D_LICENCE = "terms of Live3DPortrait, which states none, and EG3D's (non-commercial)"

_ADDRESSES = (
    "https://api.ngc.nvidia.com/v2/models/org/nvidia/team/research/eg3d/1/files"
    "?redirect=true&path={}",
    "https://api.ngc.nvidia.com/v2/models/nvidia/research/eg3d/versions/1/files/{}",
)
_DATID_COPIES = (
    "https://huggingface.co/gwang-kim/datid3d-finetuned-eg3d-models/commit/"
    "8c9759e0a44a03103a9691167703380cb9855d9f"
)
_GNERF_COPY = "https://huggingface.co/llrt/G-NeRF/commit/13b7ee8cd2feb1286e04176ab50fdd540f19a686"


@dataclass(frozen=True)
class PublishedFile:
    """A file that its authors publish for download.

    Attributes:
        name: File name.
        addresses: Addresses that need no account, best first; empty if there are none.
        num_bytes: Its length; 0 where no public page states it.
        sha256: Its hash; empty where no public page states it.
        stated_by: The page that states length and hash.
        remark: What a user should know before downloading it.
    """

    name: str
    addresses: tuple[str, ...] = ()
    num_bytes: int = 0
    sha256: str = ""
    stated_by: str = ""
    remark: str = ""


def _eg3d_file(
    name: str, num_bytes: int = 0, sha256: str = "", stated_by: str = ""
) -> PublishedFile:
    addresses = tuple(address.format(name) for address in _ADDRESSES)
    return PublishedFile(name, addresses, num_bytes, sha256, stated_by)


EG3D_FILES: dict[str, PublishedFile] = {
    "ffhq512-64": PublishedFile(
        "ffhq512-64.pkl",
        remark="EG3D's documentation names this model, but it is not among the published files "
        "(github.com/NVlabs/eg3d/issues/38); ffhq512-128 and ffhqrebalanced512-64 are",
    ),
    "ffhq512-128": _eg3d_file(
        "ffhq512-128.pkl",
        377_645_529,
        "e737eeb9a3e1be1812164a70eec22e17b3cb3c57b45c306d01f7a54e58889298",
        _GNERF_COPY,
    ),
    "ffhqrebalanced512-64": _eg3d_file("ffhqrebalanced512-64.pkl"),
    "ffhqrebalanced512-128": _eg3d_file(
        "ffhqrebalanced512-128.pkl",
        377_644_956,
        "7f418947f38202a3c4c9de6e18d0617b380dd5e42c21ba78efe8cc235fde44a7",
        _DATID_COPIES,
    ),
    "afhqcats512-128": _eg3d_file(
        "afhqcats512-128.pkl",
        369_078_439,
        "6bf73d5d1352685ff1bdf68d8c4f64ae2b05ca427a8e757601021901a1ee2672",
        _DATID_COPIES,
    ),
    "shapenetcars128-64": _eg3d_file("shapenetcars128-64.pkl"),
}
