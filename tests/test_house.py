"""The house stands as drawn: arrows point down only."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "ninth"


def imports(path: Path) -> set[str]:
    """Return the absolute names of the modules that a file imports, `ninth.` included."""
    package = ["ninth", *path.relative_to(SOURCE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            found.add(".".join([*base, *filter(None, [node.module])]))
    return found


@pytest.mark.parametrize("path", sorted((SOURCE / "ladder").glob("*.py")), ids=lambda p: p.name)
def test_the_ladder_stands_alone(path: Path) -> None:
    inside = {name for name in imports(path) if name.split(".")[0] == "ninth"}
    assert inside <= {"ninth.ladder.program"}


@pytest.mark.parametrize("path", sorted((SOURCE / "loop").glob("*.py")), ids=lambda p: p.name)
def test_the_loop_knows_nothing_of_asyncio(path: Path) -> None:
    names = imports(path)
    assert not {name for name in names if name.split(".")[0] == "asyncio"}
    inside = {name for name in names if name.split(".")[0] == "ninth"}
    assert all(name.startswith("ninth.loop") for name in inside)


@pytest.mark.parametrize(
    "path", sorted((SOURCE / "asyncio_loop").glob("*.py")), ids=lambda p: p.name
)
def test_the_asyncio_face_stands_on_the_loop_alone(path: Path) -> None:
    inside = {name for name in imports(path) if name.split(".")[0] == "ninth"}
    assert all(name.startswith(("ninth.loop", "ninth.asyncio_loop")) for name in inside)


BELOW = [
    *SOURCE.glob("*.py"),
    *(
        p
        for d in ("children", "net", "promises", "scopes", "streaming", "waiting")
        for p in (SOURCE / d).glob("*.py")
    ),
]


@pytest.mark.parametrize("path", sorted(BELOW), ids=lambda p: p.name)
def test_nobody_below_knows_the_command_line_or_the_ladder(path: Path) -> None:
    if path.name == "__main__.py":
        pytest.skip("it is the command line")
    inside = {name for name in imports(path) if name.split(".")[0] == "ninth"}
    assert not {name for name in inside if name.startswith(("ninth.cli", "ninth.ladder"))}
