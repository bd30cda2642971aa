"""Jobs: where they are kept, who runs them, and in which processes."""
