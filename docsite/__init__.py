"""What the documentation shows and nobody writes: drawings, tables, diffs, the reference."""
