"""python -m jaxcap.cli."""

from jaxcap.cli import main

main()
