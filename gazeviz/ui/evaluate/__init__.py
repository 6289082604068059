"""The Evaluate tab: experiments, their results while they come, and their answers."""
