"""The promises, tested on the real thing: processes, graphs, sockets and files."""
