"""How waiting works: files and who watches them, and what awaiting a condition comes to."""
