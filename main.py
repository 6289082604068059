"""Start gazeviz from a checkout: `python main.py`.

Nothing is imported at top level, because a spawned worker imports this file again.
"""

if __name__ == "__main__":
    from gazeviz.cli import main

    raise SystemExit(main())
