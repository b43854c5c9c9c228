"""``python -m fairlead_cli``: the ``fairlead`` command."""

from __future__ import annotations

from fairlead_cli.main import main

if __name__ == "__main__":
    main(prog_name="fairlead")
