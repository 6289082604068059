"""The prompt, how heads are steered, and the schedule of targets."""
