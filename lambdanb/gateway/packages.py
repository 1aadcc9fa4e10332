"""Code on its way from a request into the store: zips, the layers over which a function's own files lie, and back.

A function with layers runs from one folder: its own files, and below them what its layers bring for Python
(`python/`, `python/lib/python3.x/site-packages/`), later layers over earlier ones. That gives imports AWS's order
without a mount at /opt, which holds the interpreter itself on some machines.

https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lambdanb.client.imports import imports_of
from lambdanb.code.package import BadPackage, Unpacked, unpack
from lambdanb.code.store import CodeStore
from lambdanb.gateway.api import Api
from lambdanb.gateway.refusals import Refusal, not_here
from lambdanb.model.errors import InvalidParameterValueException

_LAYER_ROOTS = re.compile(r"python/lib/python3\.\d+/site-packages/(?P<deep>.+)|python/(?P<flat>.+)")


async def unpacked(api: Api, operation: str, code: dict[str, Any]) -> tuple[Unpacked, dict[str, Any]]:
    """A request's zip in the store, with {"CodeSha256", "CodeSize"} of it. Raises InvalidParameterValueException,
    RequestEntityTooLargeException."""
    package = code.get("ZipFile")
    if code.get("ImageUri"):
        raise not_here(f"{operation} with ImageUri", "functions run from zip packages, not from container images")
    if code.get("S3Bucket") or code.get("S3Key"):
        raise not_here(f"{operation} with S3Bucket", "there is no S3 here yet; upload the zip itself, by ZipFile")
    if not package:
        raise InvalidParameterValueException("Please provide a source for function code.")
    rules = await api.rules()
    if len(package) > rules.zip_bytes:
        raise Refusal(
            "RequestEntityTooLargeException", f"Zipped size must be smaller than {rules.zip_bytes} bytes", 413
        )
    try:
        done = await asyncio.to_thread(unpack, package, api.store, unzipped_bytes=rules.unzipped_bytes)
    except BadPackage as error:
        raise InvalidParameterValueException(str(error)) from None
    digest = await asyncio.to_thread(hashlib.sha256, package)
    return done, {"CodeSha256": base64.b64encode(digest.digest()).decode(), "CodeSize": len(package)}


async def code_for(api: Api, own: str, handler: str, layers: Sequence[str]) -> dict[str, Any]:
    """What the executor is to run of own code (by its SHA-256) and layers' contents: {"sha256", "bytes", "imports"}.

    Raises InvalidParameterValueException where all of it together is too large.
    """
    limit = (await api.rules()).unzipped_bytes
    sha256 = await asyncio.to_thread(_layered, api.store, own, layers) if layers else own
    size = await asyncio.to_thread(api.store.size_bytes, sha256)
    if size > limit:
        raise InvalidParameterValueException(
            f"Function code combined with layers exceeds the maximum allowed size of {limit} bytes. The actual size "
            f"is {size} bytes."
        )
    imports = await asyncio.to_thread(_imports, api.store.path(sha256), handler)
    return {"sha256": sha256, "bytes": size, "imports": imports}


def _layered(store: CodeStore, own: str, layers: Sequence[str]) -> str:
    with store.aside() as folder:
        for layer in layers:
            root = store.path(layer)
            for file in root.rglob("*"):
                found = _LAYER_ROOTS.fullmatch(str(file.relative_to(root)))
                if found and file.is_file():
                    _copy(file, folder / (found["deep"] or found["flat"]))
        root = store.path(own)
        for file in root.rglob("*"):
            if file.is_file():
                _copy(file, folder / file.relative_to(root))
        return store.adopt(folder)


def _copy(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InvalidParameterValueException(
            f"A layer and what lies over it have a file and a folder of the same name: {target.name}"
        ) from error


def _imports(folder: Path, handler: str) -> list[str]:
    """What a zygote may import ahead: modules of the handler's module that the package doesn't bring itself.

    None where the package brings distributions, whose own imports could otherwise be met by the notebook's versions.
    """
    names = {path.name for path in folder.iterdir()}
    if any(name.endswith((".dist-info", ".egg-info")) for name in names):
        return []
    module = folder / (handler.rpartition(".")[0].replace(".", "/") + ".py")
    try:
        source = module.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return []  # init will tell what is wrong with it
    own = {name.removesuffix(".py") for name in names}
    return [name for name in imports_of(source) if name.partition(".")[0] not in own]
