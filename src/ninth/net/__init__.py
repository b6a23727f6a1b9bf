"""Connections: addresses, connecting, listening, serving, datagrams, TLS, events of protocols."""
