"""Types of options that may be left out, shown in help as the type that is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

MaybeInt = Annotated[int | None, tyro.conf.arg(metavar="INT")]
MaybeFloat = Annotated[float | None, tyro.conf.arg(metavar="FLOAT")]
MaybeName = Annotated[str | None, tyro.conf.arg(metavar="NAME")]
MaybePath = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]
