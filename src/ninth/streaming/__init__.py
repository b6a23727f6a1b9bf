"""What a stream is made of: what it holds, its reading end and its writing end."""
