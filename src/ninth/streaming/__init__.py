"""What a stream is made of: what it holds, its reading, its writing, TLS, events of protocols."""
