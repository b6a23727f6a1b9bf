"""ninth's event loop beside its peers, measured in one run; see README.md."""
