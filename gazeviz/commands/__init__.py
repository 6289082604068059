"""One module per command of the command line: its options, what it does, how it answers.

Every module can be imported without torch: what is heavy is imported when the command runs.
"""
