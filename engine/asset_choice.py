"""Chooses the data of a request: the use case's assets or the user's own, and the settings that they require.

Works on the configuration that Hydra composed, before it is resolved.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from engine import asset, yamlfile
from engine.asset import Asset
from engine.composed import kind_of
from engine.errors import UserError, did_you_mean
from engine.override import value_of
from engine.settings import Settings
from engine.wording import as_typed


def take_own_data(
    config: DictConfig,
    data: Path,
    declared: Mapping[str, Path],
    overrides: Sequence[str],
    notes: list[str],
    path_kinds: dict[str, str],
) -> None:
    """Use data/<usecase>/ instead of a sample, if the user has put data there and named no other."""
    folder = data / str(config.get("name"))
    path_kinds[str(folder.absolute())] = kind_of(folder)
    if kind_of(folder) != "folder":
        return
    for key in _asset_keys(config):
        value = config.assets[key]
        if (
            value in declared
            and value_of(f"assets.{key}", overrides) is None
            and _is_read(config, key)
            and _load_asset(declared[value]).sample
        ):
            config.assets[key] = str(folder)
            notes.append(f"using {as_typed(folder)} as {key} instead of the sample {value}")


def apply(
    config: DictConfig,
    declared: Mapping[str, Path],
    overrides: Sequence[str],
    where: str,
    mistakes: list[UserError],
    folders: Sequence[Path],
    path_kinds: dict[str, str],
) -> dict[str, Asset | Path | None]:
    """Resolve each asset's value, and apply its defaults to keys that the user has not set.

    folders: where relative paths are looked up, in this order.
    """
    found: dict[str, Asset | Path | None] = {}
    for key in _asset_keys(config):
        if not isinstance(config.assets[key], str | None):  # such as a folder that is called 2024
            config.assets[key] = str(config.assets[key])
        try:
            found[key] = resolved = _asset(
                key, config.assets[key], declared, where, folders, path_kinds
            )
        except UserError as mistake:
            mistakes.append(mistake)
            continue
        if isinstance(resolved, Asset) and _is_read(config, key):
            _set(config, resolved, overrides)
    # an asset may have set another asset, for example to null: a pose model that its data does not need
    return {key: None if config.assets[key] is None else value for key, value in found.items()}


def reach(
    assets: Mapping[str, Asset | Path | None], settings: Settings, notes: list[str]
) -> tuple[str, ...]:
    """Return the stages to end with: those that the user names, or else those that the data can reach."""
    if settings.until:
        return settings.until
    for chosen in assets.values():
        if isinstance(chosen, Asset) and chosen.until:
            notes.append(
                f"{chosen.name} can only be used up to {', '.join(chosen.until)}: no later "
                "stage is planned"
            )
            return chosen.until
    return ()


def _asset_keys(config: DictConfig) -> list[str]:
    """Return the keys of the use case's assets.

    Empty if `assets:` is not a mapping: validation reports that later.
    """
    assets = config.get("assets")
    return [key for key in assets if isinstance(key, str)] if isinstance(assets, DictConfig) else []


def _is_read(config: DictConfig, key: str) -> bool:
    """Return whether an input may read the asset: not if each input that names it prefers another asset
    that is given.
    """
    stages = OmegaConf.to_container(config.get("stages") or OmegaConf.create(), resolve=False)
    specs = stages.values() if isinstance(stages, dict) else ()
    inputs = [one["inputs"] for one in specs if isinstance(one, dict) and one.get("inputs")]
    texts = [text for one in inputs if isinstance(one, dict) for text in one.values()]
    lists = [text if isinstance(text, list) else [text] for text in texts]
    before = [one[: one.index(f"asset:{key}")] for one in lists if f"asset:{key}" in one]
    return not before or any(not any(_is_given(config, ref) for ref in one) for one in before)


def _is_given(config: DictConfig, reference: Any) -> bool:
    kind, _, key = str(reference).partition(":")
    return kind == "asset" and config.assets.get(key) is not None


def _set(config: DictConfig, chosen: Asset, overrides: Sequence[str]) -> None:
    for group, values in (("params", chosen.settings.params), ("assets", chosen.settings.assets)):
        for key, value in values.items():
            if value_of(f"{group}.{key}", overrides) is None:
                OmegaConf.update(config, f"{group}.{key}", value)


def _asset(
    key: str,
    value: Any,
    declared: Mapping[str, Path],
    where: str,
    folders: Sequence[Path],
    path_kinds: dict[str, str],
) -> Asset | Path | None:
    if value is None:
        return None
    if value in declared:
        return _located(_load_asset(declared[value]), declared[value], folders, path_kinds)
    if path := _existing(str(value), folders, path_kinds):
        return path
    raise UserError(
        f"{where}: assets.{key}",
        f"'{value}' is neither a declared asset nor a path that exists",
        _fix(str(value), folders[0], declared),
    )


def _located(
    chosen: Asset, declaration: Path, folders: Sequence[Path], path_kinds: dict[str, str]
) -> Asset:
    """Return the asset with its path, if it has one, absolute."""
    if chosen.path is None:
        return chosen
    path = _existing(chosen.path, folders, path_kinds)
    if path is None:
        where, what = f"{as_typed(declaration)}: path", f"there is no '{chosen.path}'"
        raise UserError(where, what, "write a path that exists, relative to the project")
    return chosen.model_copy(update={"path": str(path)})


def _existing(value: str, folders: Sequence[Path], path_kinds: dict[str, str]) -> Path | None:
    """Return the absolute path that exists in the first of the folders, or None."""
    for folder in folders if value else ():
        candidate = folder / Path(value).expanduser()
        path_kinds[str(candidate.absolute())] = kind_of(candidate)
        if candidate.exists():
            return candidate.absolute()
    return None


def _fix(value: str, folder: Path, declared: Mapping[str, Path]) -> str:
    """Return the fix: the nearest declared asset, or what is wrong with the path if it looks like one."""
    path = (folder / Path(value).expanduser()).absolute()
    if "/" not in value and not path.suffix:
        return did_you_mean(value, declared)
    missing, parent = next((p, p.parent) for p in (path, *path.parents) if p.parent.is_dir())
    if missing != path:
        return f"check the path: there is no '{missing}'"
    names = os.listdir(parent) if os.access(parent, os.R_OK) else []
    return did_you_mean(path.name, names, f"check the path: {parent} has no '{path.name}'")


def _load_asset(path: Path) -> Asset:
    return asset.parse(yamlfile.load(path), as_typed(path))
