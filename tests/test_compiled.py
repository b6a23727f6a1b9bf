"""The compiled modules: which run, and whether their declarations still fit their sources."""

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ninth

SOURCE = Path(ninth.__file__).parent
HOT = sorted(path for path in SOURCE.rglob("*.pxd") if path.with_suffix(".py").exists())

DECLARATION = re.compile(r"^    cdef (?:public |readonly )?(?:[\w.]+ )*(\w+)(?:\[\d+\])?$")


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    return ".".join(("ninth", *path.relative_to(SOURCE).with_suffix("").parts))


def declared(path: Path) -> dict[str, tuple[str | None, set[str], set[str]]]:
    """Return the base, the attributes and the methods of each class in a `.pxd`."""
    classes: dict[str, tuple[str | None, set[str], set[str]]] = {}
    current = None
    for line in path.read_text().splitlines():
        if found := re.match(r"cdef class (\w+)(?:\((\w+)\))?:", line):
            current = found[1]
            classes[current] = (found[2], set(), set())
        elif line and not line.startswith(" "):
            current = None
        elif current is not None and line.strip():
            if found := re.match(r"    (?:cpdef|cdef) .*?(\w+)\(self", line):
                classes[current][2].add(found[1])
            elif found := DECLARATION.match(line):
                classes[current][1].add(found[1])
    return classes


def all_declared() -> dict[str, tuple[str | None, set[str], set[str]]]:
    """Return the classes of all `.pxd` files."""
    classes: dict[str, tuple[str | None, set[str], set[str]]] = {}
    for path in HOT:
        classes.update(declared(path))
    return classes


def used(node: ast.ClassDef) -> set[str]:
    """Return the attributes that the methods of a class assign to self."""
    return {
        target.attr
        for target in ast.walk(node)
        if isinstance(target, ast.Attribute)
        and isinstance(target.ctx, ast.Store)
        and isinstance(target.value, ast.Name)
        and target.value.id == "self"
    }


def test_there_are_hot_modules() -> None:
    assert [path.stem for path in HOT if path.stem in {"core", "handles", "stream"}] == [
        "core",
        "handles",
        "stream",
    ]


@pytest.mark.parametrize("path", HOT, ids=name_of)
def test_declarations_fit_the_source(path: Path) -> None:
    """Each attribute that is set is declared, each declared one is set, each method is there."""
    everything = all_declared()
    tree = ast.parse(path.with_suffix(".py").read_text())
    nodes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    classes = declared(path)
    assert set(classes) == set(nodes)
    for name, node in nodes.items():
        base, attributes, methods = classes[name]
        inherited: set[str] = set()
        while base is not None:
            inherited |= everything[base][1]
            base = everything[base][0]
        assert used(node) <= attributes | inherited, name
        # What only C touches is no attribute of the source: the buffer of events.
        mentioned = {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
        written = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}
        assert attributes - {"__weakref__", "__dict__"} <= mentioned | written, name
        defined = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
        assert methods <= defined, name


@pytest.mark.parametrize("path", HOT, ids=name_of)
def test_no_traps(path: Path) -> None:
    """No lambda or `*args` in what is declared cpdef; nothing asynchronous."""
    methods = {method for _, _, names in declared(path).values() for method in names}
    for node in ast.walk(ast.parse(path.with_suffix(".py").read_text())):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Yield | ast.YieldFrom)
        if isinstance(node, ast.FunctionDef) and node.name in methods:
            assert node.args.vararg is None, node.name
            assert node.args.kwarg is None, node.name
            assert not any(isinstance(each, ast.Lambda) for each in ast.walk(node)), node.name


@pytest.mark.parametrize("path", HOT, ids=name_of)
def test_classes_can_be_referred_to_weakly(path: Path) -> None:
    everything = all_declared()
    for name in declared(path):
        seen: set[str] = set()
        each: str | None = name
        while each is not None:
            seen |= everything[each][1]
            each = everything[each][0]
        if name not in {"Held", "Timers", "EpollPoller", "WakeUp", "Watch"}:
            assert "__weakref__" in seen, name


def run(code: str, **environment: str) -> str:
    """Run Python and return what it says."""
    merged = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=merged, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_ninth_pure_chooses_the_sources() -> None:
    code = (
        "import ninth, sys, ninth.asyncio_loop\n"
        "files = {m.__file__ for n, m in sys.modules.items() if n.startswith('ninth.')}\n"
        "print(ninth.is_compiled(), all(f.endswith('.py') for f in files))"
    )
    assert run(code, NINTH_PURE="1") == "False True"


def test_all_hot_modules_are_compiled_or_none() -> None:
    kinds = {str(importlib.import_module(name_of(path)).__file__).endswith(".py") for path in HOT}
    assert kinds == {not ninth.is_compiled()}


def test_without_a_compiler_it_installs_as_plain_python(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    project = tmp_path / "project"
    project.mkdir()
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(root / name, project)
    built = shutil.ignore_patterns("*.so", "*.c", "*.egg-info", "__pycache__")
    shutil.copytree(root / "src", project / "src", ignore=built)
    site = tmp_path / "site"
    options = ("--no-build-isolation", "--no-deps", "--no-index", "--target", str(site))
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", *options, str(project)],
        env=os.environ | {"CC": "no-such-compiler"},
        check=True,
    )
    assert not list(site.rglob("*.so"))
    assert not list(site.rglob("*.pxd"))
    says = "import ninth.cli; ninth.cli.main(['--version'])"
    assert "(pure Python, " in run(says, PYTHONPATH=str(site))
