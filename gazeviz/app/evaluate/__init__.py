"""The Evaluate tab's state: experiments, the process that runs one, and what the log has of them."""
