"""Run the command line as `python -m embedcli`."""

from embedcli.cli.main import main

main()
