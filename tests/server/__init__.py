"""The server: each room by itself, the contract through Starlette's client, and real processes."""
