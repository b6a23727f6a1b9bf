"""What a promise is made of: its state and callbacks, where it belongs, and the combinators."""
