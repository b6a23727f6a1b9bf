"""The callback loop; knows nothing of asyncio."""
