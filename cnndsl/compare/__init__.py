"""What differs between two networks: aligned by structure, told as a person would tell it."""
