"""The options of `ninth watch` as a table, made from what --help is made from."""

from ninth.cli.grammar import subcommands


def table(name: str) -> str:
    """Return a table of the options of a subcommand, group by group, for a page."""
    command = next(one for one in subcommands() if one.name == name)
    parts = []
    for group in command.groups:
        rows = [f"| {group.title} | |", "|---|---|"]
        for option in group.options:
            flags = ", ".join(f"`{flag}`" for flag in option.flags)
            value = f" `{option.value}`" if option.value else ""
            rows.append(f"| {flags}{value} | {option.help} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)
