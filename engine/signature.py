"""The contract of a function stage, from its source: inputs, outputs, parameters, metrics, imports.

The source is parsed, never imported.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from engine import ordinary, syntax
from engine.contract import REQUIRED, Contract, Parameter
from engine.errors import UserError, did_you_mean
from engine.memo import Memo

_MOST_BYTES = 10_000_000  # of a stage's source
_STAGE_API = "engine.stage"
Found = TypeVar("Found")
LOAD = "load"  # the function of a module that LOADS refers to, if the parameter must name one


class Library:
    """The stages that YAML may name: those in the listed packages, found below the roots."""

    def __init__(
        self, packages: Sequence[str], roots: Sequence[Path], memo: Path | None = None
    ) -> None:
        self.packages, self.roots = tuple(packages), tuple(roots)
        self.store = memo.parent if memo else None  # where kinds of stages may keep what they fetch
        self._memo = Memo(memo, f"{sys.version} {_version()}")
        self._found: dict[Hashable, object] = {}
        self._sources: dict[Path, tuple[bytes, str]] = {}
        self._known: dict[str, Contract | UserError] = {}
        # Many stages share a helper, which takes time to read and parse.
        self._trees: dict[Path, ast.Module] = {}
        self._imported: dict[str, list[tuple[str, bool]]] = {}  # by module

    def signature(self, uses: str, where: str) -> Contract:
        """Return the contract of a stage, or raise UserError with the nearest name."""
        if uses not in self._known:
            self._known[uses] = self._look_up(uses)
        found = self._known[uses]
        if isinstance(found, UserError):
            raise UserError(where if found.where == "" else found.where, found.what, found.fix)
        return found

    def loading(self, contract: Contract, params: Mapping[str, Any], where: str) -> Contract:
        """Return the contract with the sources and packages of the modules that its LOADS name.

        Raise UserError if a parameter does not name a module. If its default names none, such as
        `none`, other values may name none either.
        """
        for key, package in contract.loads.items():
            default = contract.params[key].default
            value = params.get(key, default)
            if value is REQUIRED:
                continue
            path = self._module_path(f"{package}.{value}")
            is_optional = isinstance(default, str) and not self._module_path(f"{package}.{default}")
            if not is_optional and (path is None or not _has_function(path, LOAD)):
                raise self._no_such_module(package, str(value), f"{where}.{key}")
            if path is not None:
                contract = self._with_module(contract, f"{package}.{value}", path)
        return contract

    def _no_such_module(self, package: str, name: str, where: str) -> UserError:
        known = {
            file.stem
            for root in self.roots
            for file in root.joinpath(*package.split(".")).glob("*.py")
            if not file.name.startswith("_") and _has_function(file, LOAD)
        }
        return UserError(where, f"{package} has no '{name}'", did_you_mean(name, sorted(known)))

    def _with_module(self, contract: Contract, module: str, path: Path) -> Contract:
        sources, imports, optional = self._closure(module, path)
        needed = (contract.imports - contract.optional_imports) | (imports - optional)
        needed -= frozenset(contract.optional)
        every = contract.imports | imports
        return replace(
            contract,
            sources={**contract.sources, **sources},
            imports=every,
            optional_imports=every - needed,
            modules=(*contract.modules, module),
        )

    def once(self, key: Hashable, look_up: Callable[[], Found]) -> Found:
        """Return what `look_up` returns, or raise what it raises, and call it once for each key: the
        contract of a stage is needed several times.
        """
        if key not in self._found:
            try:
                self._found[key] = look_up()
            except Exception as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, Exception):
            raise found
        return cast(Found, found)

    def constant(self, module: str, name: str) -> object:
        """Return the plain value of a class attribute in one of a contract's modules, or None."""
        path = self._module_path(module)
        return None if path is None else syntax.constant(self._parsed(path), name)

    def loaded_constant(
        self, contract: Contract, params: Mapping[str, Any], parameter: str, name: str
    ) -> object:
        """Return the same of the module that this parameter names, as the stage's LOADS say, or None."""
        return self.constant(f"{contract.loads[parameter]}.{params[parameter]}", name)

    def remember(self) -> None:
        """Cache the results of parsing for the next run, if a file for them was given."""
        self._memo.save()

    def names(self) -> list[str]:
        """Return the names of all stages, as written in `uses:`."""
        found = {
            ".".join(path.relative_to(root).with_suffix("").parts)
            for root in self.roots
            for package in self.packages
            for path in (root / package).rglob("*.py")
            if not path.name.startswith("_") and _is_stage(path)
        }
        return sorted(found)

    def _look_up(self, uses: str) -> Contract | UserError:
        if uses.split(".")[0] not in self.packages:
            allowed = " or ".join(f"'{package}.'" for package in self.packages)
            return UserError(
                "", f"'{uses}' is outside the stage library", f"choose a stage under {allowed}"
            )
        path = self._module_path(uses)
        if path is None or path.name.startswith("_"):
            return UserError("", f"there is no stage '{uses}'", did_you_mean(uses, self.names()))
        try:
            return self._read(uses, path)
        except SyntaxError as error:
            return UserError(
                f"{path}, line {error.lineno}",
                f"Python cannot read it: {error.msg}",
                "fix the stage's source",
            )
        except (
            ValueError,
            RecursionError,
            MemoryError,
        ) as error:  # not UTF-8, a NUL, or a thousand nested brackets
            return UserError(
                str(path),
                f"Python cannot read it: {str(error) or type(error).__name__}",
                "fix the stage's source",
            )
        except UserError as error:
            return error

    def _module_path(self, module: str) -> Path | None:
        parts = module.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        for root in self.roots:
            path = root.joinpath(*parts).with_suffix(".py")
            if path.is_file():
                return path
        return None

    def _read(self, uses: str, path: Path) -> Contract:
        sources, imports, optional = self._closure(uses, path)
        declared = self._declared(uses, path)
        metrics: dict[str, bool] | None = declared["metrics"]
        left_out = [name for name, is_required in (metrics or {}).items() if not is_required]
        return Contract(
            label=uses,
            subject=f"'{uses}'",
            doc=declared["doc"],
            inputs=declared["inputs"],
            outputs=tuple(declared["outputs"]),
            suffixes=declared["suffixes"],
            params={name: _parameter(one) for name, one in declared["params"].items()},
            metrics=None if metrics is None else frozenset(metrics),
            optional_metrics=frozenset(left_out),
            sources=sources,
            imports=imports,
            optional_imports=optional | imports.intersection(declared["optional"]),
            optional=tuple(declared["optional"]),
            programs=tuple(declared["programs"]),
            loads=declared["loads"],
            reads=declared["reads"],
            together=declared["together"],
            defines=declared["defines"],
            keywords=declared["keywords"],
            modules=(uses,),
            invoke={"module": uses, "function": uses.rpartition(".")[2]},
        )

    def _declared(self, uses: str, path: Path) -> dict[str, Any]:
        """Return the signature of the stage's function as plain data; raise UserError if it is not valid
        for a stage.
        """
        key = f"stage {uses} {self._source(path)[1]}"
        declared: dict[str, Any] | None = self._memo.get(key)
        if declared is None:
            declared = _stage(self._parsed(path), uses.rpartition(".")[2], path)
            self._memo.put(key, declared)
        return declared

    def _closure(
        self, module: str, path: Path
    ) -> tuple[dict[str, str], frozenset[str], frozenset[str]]:
        """Follow imports through the project's modules.

        Return their digests, the packages outside the project, and those of them that are optional.
        """
        sources: dict[str, str] = {}
        outside: set[str] = set()
        needed: set[str] = set()
        waiting = [(module, path)]
        while waiting:
            name, file = waiting.pop()
            if name in sources:
                continue
            sources[name] = self._source(file)[1]
            for imported, is_guarded in self._imports(name, file):
                inner = self._module_path(imported) if self._is_source(imported) else None
                if inner is not None:
                    waiting.append((imported, inner))
                elif imported.split(".")[0] not in (*self.packages, "engine"):
                    outside.add(imported.split(".")[0])
                    needed |= set() if is_guarded else {imported.split(".")[0]}
        return dict(sorted(sources.items())), frozenset(outside), frozenset(outside - needed)

    def _is_source(self, module: str) -> bool:
        """Return whether results depend on the module's source: stages, and the code they share with the
        engine.
        """
        return module.split(".")[0] in self.packages or module.startswith(f"{_STAGE_API}.")

    def _imports(self, module: str, path: Path) -> list[tuple[str, bool]]:
        key = f"imports {module} {self._source(path)[1]}"
        if module not in self._imported:
            found = self._memo.get(key)
            if found is None:
                found = [
                    [name, guarded] for name, guarded in syntax.imports(self._parsed(path), module)
                ]
                self._memo.put(key, found)
            self._imported[module] = [(name, guarded) for name, guarded in found]
        return self._imported[module]

    def _source(self, path: Path) -> tuple[bytes, str]:
        """Return a file's bytes and their digest."""
        if path not in self._sources:
            data = ordinary.read(path, _MOST_BYTES)
            self._sources[path] = data, hashlib.sha256(data).hexdigest()
        return self._sources[path]

    def _parsed(self, path: Path) -> ast.Module:
        if path not in self._trees:
            self._trees[path] = ast.parse(self._source(path)[0].decode("utf-8"), str(path))
        return self._trees[path]


def _stage(tree: ast.Module, name: str, path: Path) -> dict[str, Any]:
    """Return the signature in a stage's module, as plain data."""
    function = next(
        (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name), None
    )
    if function is None:
        what = f"it has no function '{name}'"
        raise UserError(str(path), what, "a stage is a function with the name of its file")
    inputs, outputs = syntax.paths(function, path)
    params = syntax.parameters(function, path)
    return {
        "doc": ast.get_docstring(function) or ast.get_docstring(tree) or "",
        "inputs": inputs,
        "outputs": list(outputs),
        "suffixes": syntax.suffixes(function, path),
        "params": {key: _plain(one) for key, one in params.items()},
        "metrics": syntax.metrics(function, tree),
        "programs": list(syntax.programs(tree)),
        "optional": list(syntax.optional(tree)),
        "loads": syntax.loads(tree),
        "reads": syntax.reads(tree),
        "together": _together(tree, inputs, path),
        **_definitions(tree, inputs, params, path),
    }


def _together(tree: ast.Module, inputs: Mapping[str, bool], path: Path) -> dict[str, list[str]]:
    """Return the stage's TOGETHER; raise UserError if it names anything but optional inputs."""
    found = syntax.together(tree)
    optional = [name for name, is_required in inputs.items() if not is_required]
    for name in (one for key, others in found.items() for one in (key, *others)):
        if name not in optional:
            what = f"TOGETHER names '{name}', which is not an optional input"
            raise UserError(str(path), what, did_you_mean(name, optional))
    return found


def _definitions(
    tree: ast.Module, inputs: Mapping[str, bool], params: Mapping[str, Parameter], path: Path
) -> dict[str, Any]:
    """Return the stage's DEFINES and KEYWORDS; raise UserError if they name anything that it lacks."""
    defines, keywords = syntax.defines(tree), syntax.keywords(tree)
    for name in (*defines, *(folder for folder, _ in keywords.values())):
        if name not in inputs:
            what = f"'{name}' in DEFINES or KEYWORDS is not an input"
            raise UserError(str(path), what, did_you_mean(name, inputs))
    for name in keywords.keys() - params:
        what = f"KEYWORDS names '{name}', which is not a parameter"
        raise UserError(str(path), what, did_you_mean(name, params))
    return {"defines": defines, "keywords": keywords}


def _is_stage(path: Path) -> bool:
    """Return whether the file has a function with its own name; files of stage libraries have none."""
    return _has_function(path, path.stem)


def _has_function(path: Path, name: str) -> bool:
    source = path.read_text(encoding="utf-8", errors="replace")
    return re.search(rf"^def {re.escape(name)}\b", source, re.MULTILINE) is not None


def _plain(parameter: Parameter) -> dict[str, Any]:
    default = {} if parameter.default is REQUIRED else {"default": parameter.default}
    return {"annotation": parameter.annotation, **default}


def _parameter(plain: dict[str, Any]) -> Parameter:
    return Parameter(plain["annotation"], plain.get("default", REQUIRED))


def _version() -> str:
    """Return the digest of the code that parses sources: cached results are valid only for this code."""
    code = (Path(__file__), Path(syntax.__file__))
    return hashlib.sha256(b"".join(path.read_bytes() for path in code)).hexdigest()
