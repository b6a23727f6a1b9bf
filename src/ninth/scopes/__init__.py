"""What a scope is made of: what it owns, its block, and the callbacks registered in it."""
