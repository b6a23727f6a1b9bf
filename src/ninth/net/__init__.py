"""Connections: addresses, connecting, listening, serving, TLS, datagrams, events of protocols."""
