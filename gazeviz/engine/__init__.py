"""The verbs: loading a vision-language model, watching its heads, steering them and letting it write.

Built on torch and transformers, usable from a notebook; knows nothing of windows, workers or the session log.
"""
