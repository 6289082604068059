"""A worker on another machine, started there through the system's own ssh: no port is opened.

The app's end is `ssh`, the other machine's `stdio`; both speak in the frames of `frames`.
"""
