"""The console's pages of care: plans with their tasks, and incidents."""
