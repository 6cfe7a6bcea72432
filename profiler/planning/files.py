"""The files that hold scenarios, and which framework each is for; nothing is imported here."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import profiler
from profiler.errors import StepwallError
from profiler.facts import Record
from profiler.frameworks import Framework, lacking

ENTRY_POINT_GROUP = "stepwall.scenarios"
SHIPPED = "scenarios"


class ScenarioFile(Record, frozen=True, kw_only=True):
    """One file with scenarios.

    ``module`` is how installed code imports it; None for a file of the user's.
    """

    path: str
    framework: str
    module: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether it belongs to an installed package, shipped or not."""
        return self.module is not None


def scenario_files(
    sources: Iterable[str], frameworks: Mapping[str, Framework]
) -> Iterator[ScenarioFile | str]:
    """Yield every file that may hold scenarios, or a line on why a source cannot be used.

    Args:
        sources: the user's files and folders (of ``*.py`` files), beside the shipped
            scenarios and the installed plug-ins.
        frameworks: the installed frameworks by name.

    Raises:
        StepwallError: if there is no framework, because stepwall itself is not installed.
    """
    if not frameworks:
        raise StepwallError(
            "stepwall itself is not installed here, so it knows no framework: "
            "run `make setup` in its folder, or `pip install -e .` there"
        )
    kinds = _kinds(frameworks)
    shipped = sorted((Path(profiler.__file__).parents[1] / SHIPPED).glob("*.py"))
    known = {path: name for path in shipped if (name := framework_of(path, kinds))}
    # A file that names no type is taken to be like the shipped ones, as far as they can be used.
    able = [name for name in [*known.values(), *frameworks] if lacking(frameworks[name]) is None]
    default = next(iter([*able, *known.values(), *frameworks]))

    def one(path: Path, module: str | None = None) -> ScenarioFile:
        return ScenarioFile(
            path=str(path), framework=framework_of(path, kinds) or default, module=module
        )

    for path in known:  # the others are helpers
        yield one(path, f"{SHIPPED}.{path.stem}")
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        found = _module_file(entry)
        yield (
            one(found, entry.module)
            if found
            else f"plug-in {entry.name} ({entry.value}): its module is not installed"
        )
    for source in map(Path, sources):
        if source.is_dir():
            files = sorted(file for file in source.glob("*.py") if file.name != "__init__.py")
            yield from (
                one(file) if file.is_file() else f"{file}: it is not a file" for file in files
            )
            if not files:
                yield f"{source}: no *.py file in this folder"
        elif source.is_file():
            yield one(source)
        else:
            yield f"{source}: no such file or folder"


def _kinds(frameworks: Mapping[str, Framework]) -> dict[str, str]:
    """Return the framework of each type that a scenario may return, by the type's names."""
    return {
        known: name
        for name, item in frameworks.items()
        for kind in item.kinds
        for known in kind.names
    }


def framework_of(path: Path, kinds: Mapping[str, str]) -> str | None:
    """Return the framework whose types the file's functions return; None where it names none.

    Args:
        path: a Python file; one that cannot be read or parsed names none.
        kinds: name of each step kind's type, as users import it, to its framework.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    names = dict(_imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            head, dot, rest = _dotted(node.returns).partition(".")
            found = kinds.get(names.get(head, head) + dot + rest)
            if found:
                return found
    # A function may name the type in its body alone.
    return next((kinds[name] for name in names.values() if name in kinds), None)


def scenario_names(path: Path) -> list[str]:
    """Return the names of the functions that a file decorates as scenarios, by its text alone."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(
            _dotted(_called(one)).rpartition(".")[2] == "scenario" for one in node.decorator_list
        )
    ]


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each name that the file imports, and what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _dotted(node: ast.expr) -> str:
    """Return ``a.b`` of a name, an attribute or a quoted annotation; else nothing."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.strip()
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _module_file(entry: EntryPoint) -> Path | None:
    """Return the file of a plug-in's module; only its top-level package is asked for."""
    top, *parts = entry.module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return None
    if spec.submodule_search_locations is None:
        return Path(spec.origin) if not parts else None
    folder = Path(spec.origin).parent.joinpath(*parts)
    files = (folder / "__init__.py", folder.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)
