"""The reference: which object each public name of the package is."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src/ninth"

# What the owner of an object calls, or a coroutine has to have, and users never need.
INSIDE = {
    "Process": "when_ended when_gone when_left_behind when_over stop hurry kill_now has_open_pipes "
    "close_pipes",
    "Registration": "stop hurry",
    "Server": "send throw close",
    "Promise": "add_done_callback remove_done_callback",
}


def homes() -> dict[str, str]:
    """Return the module that defines each public name, as the package itself says it."""
    for node in ast.parse((PACKAGE / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HOMES":
            found: dict[str, str] = ast.literal_eval(node.value)
            return found | {"is_compiled": "ninth"}
    raise LookupError("HOMES is not in the package any more: tell docsite where its names live")


def api(*names: str) -> str:
    """Return the directives that document some public names; others are given in full."""
    known = homes()
    parts = []
    for name in names:
        full = name if "." in name else f"{known[name]}.{name}"
        shown = name if "." in name else f"ninth.{name}"
        part = f"::: {full}\n    options:\n      heading: {shown}\n"
        if name in INSIDE:
            inside = "|".join(INSIDE[name].split())
            part += f'      filters: ["!^_", "!^({inside})$"]\n'
        if name in {"TLSStream", "ninth.testing.VirtualLoop"}:
            # All else they have of Stream and EventLoop.
            part += "      inherited_members: false\n"
        parts.append(part)
    return "\n".join(parts)
