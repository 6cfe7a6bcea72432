"""The source of a scenario: its file, and the user's modules that it imports, wherever in it.

It is part of a point's identity: numbers of two sources are never mixed. Files are read and
parsed, not run, so that an import within the scenario's function counts as one at its top does.
What a name stands for is asked of Python's own finders, in the child that has imported the file:
what the file did to ``sys.path`` holds there.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder, all_suffixes
from pathlib import Path

from profiler.planning.files import ScenarioFile

_OURS = ("profiler", "scenarios", "reports")
_HASH_DIGITS = 16
# Ways to import a module by its name in a text.
_IMPORTERS = {"import_module", "__import__"}
_INSTALLED = {"site-packages", "dist-packages"}


def taken_names(packages: Iterable[str]) -> set[str]:
    """Return the top-level modules that no file beside a scenario takes the place of.

    Some of these are imported late, and would be shadowed by a file that has their name.

    Args:
        packages: the framework's own.
    """
    return {*_OURS, *packages, *sys.stdlib_module_names}


def source_files(file: ScenarioFile, packages: Iterable[str]) -> dict[str, str]:
    """Return the scenario's file and the user's modules that it imports, as name -> path.

    Those are the modules beside the file, or in its own package where it is installed, and all
    others that lie neither in the standard library nor among installed packages; what they
    import, too. Not found: a name that is put together when the scenario is built, and data.

    Args:
        file: the scenario's file.
        packages: the framework's top-level modules.
    """
    return _Imports(file, packages).files()


def source_hash(files: Mapping[str, str]) -> str:
    """Return a hash of these modules: equal wherever they lie.

    Raises:
        OSError: if one of them is gone.
    """
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        content = Path(path).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:_HASH_DIGITS]


def is_of_the_user(path: str) -> bool:
    """Whether a module's file is neither the standard library's nor an installed package's."""
    place = Path(path)
    return not _INSTALLED.intersection(place.parts) and not any(
        place.is_relative_to(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")
    )


class _Imports:
    """The modules that one file imports."""

    def __init__(self, file: ScenarioFile, packages: Iterable[str]) -> None:
        self._path = Path(file.path)
        self._module = file.module
        self._taken = taken_names(packages)
        parents = file.module.count(".") if file.module else 0
        is_package = file.module is not None and self._path.stem == "__init__"
        # Where its own modules are looked for: beside it, or where its package lies.
        self._folder = self._path.parents[parents + is_package]
        self._own = file.module.partition(".")[0] if file.module else None
        self._files: dict[str, str] = {}

    def files(self) -> dict[str, str]:
        """Return the files by their modules' names."""
        self._add(self._module or self._path.name, self._path, package=self._package(self._module))
        return self._files

    def _package(self, module: str | None) -> str | None:
        """Return the package that the file's relative imports begin at."""
        if module is None:
            return None
        return module if self._path.stem == "__init__" else module.rpartition(".")[0] or None

    def _add(self, name: str, path: Path, *, package: str | None) -> None:
        if name in self._files:
            return
        self._files[name] = str(path)
        for dotted in _imported(path, package):
            self._follow(dotted)

    def _follow(self, dotted: str) -> None:
        """Add a module and the packages that it lies in, as far as they are the user's."""
        name, *rest = dotted.split(".")
        spec = self._top(name)
        if spec is None:
            return
        places = list(spec.submodule_search_locations or [])
        origin = Path(spec.origin) if spec.has_location and spec.origin else None
        while True:
            if origin is not None:
                self._add(name, origin, package=name if places else name.rpartition(".")[0] or None)
            if not rest or not places:
                return
            part = rest.pop(0)
            name = f"{name}.{part}"
            origin, places = _part(places, part)

    def _top(self, name: str) -> ModuleSpec | None:
        """Return the spec of a top-level module if it is the user's."""
        if name == self._own:
            return PathFinder.find_spec(name, [str(self._folder)])
        if name in self._taken:
            return None
        beside = None if self._own else PathFinder.find_spec(name, [str(self._folder)])
        if beside is not None and beside.has_location:
            return beside
        try:
            found = importlib.util.find_spec(name)
        except (ImportError, AttributeError, ValueError):
            found = None
        places = [*((found and found.submodule_search_locations) or [])]
        if found is not None and found.has_location and found.origin:
            places = [found.origin]
        if places and all(map(is_of_the_user, places)):
            return found
        return None if places else beside


def _part(places: Iterable[str], name: str) -> tuple[Path | None, list[str]]:
    """Return the file of a module in a package at these places, and its own places if it is one.

    Not by Python's finders: for a package without ``__init__`` they ask for imported parents.
    """
    inner = [Path(place) / name for place in places]
    files = [folder / "__init__.py" for folder in inner]
    files += [Path(f"{one}{suffix}") for one in inner for suffix in all_suffixes()]
    found = next((file for file in files if file.is_file()), None)
    is_package = found is None or found.stem == "__init__"
    return found, [str(folder) for folder in inner if is_package and folder.is_dir()]


def _imported(path: Path, package: str | None) -> Iterator[str]:
    """Yield the absolute names that a file imports; of ``from a import b`` also ``a.b``."""
    if path.suffix != ".py":
        return
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            text = getattr(node.args[0], "value", None)
            if name in _IMPORTERS and isinstance(text, str) and not text.startswith("."):
                yield text


def _absolute(node: ast.ImportFrom, package: str | None) -> str | None:
    if not node.level:
        return node.module
    if package is None:
        return None
    parts = package.split(".")
    if node.level > len(parts):
        return None
    return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])
