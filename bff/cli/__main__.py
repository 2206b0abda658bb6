"""`python -m bff.cli`: the command line where its script can't be found, as by a process that starts another one."""

from bff.cli.main import main

if __name__ == "__main__":
    main()
