"""What an experiment is: pictures, conditions, the plan made of them, and the results."""
