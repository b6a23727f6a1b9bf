"""Libraries of others on ninth's loop."""
