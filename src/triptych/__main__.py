"""`python -m triptych` is the same as the command `triptych`."""

from triptych.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
