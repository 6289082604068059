"""Start gazeviz as `python -m gazeviz`, where its script is on no path."""

if __name__ == "__main__":  # a spawned worker imports this file again
    from gazeviz.cli import main

    raise SystemExit(main())
