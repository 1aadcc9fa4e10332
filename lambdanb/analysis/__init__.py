"""Load tests, tuning and figures: what a person learns of a function by driving it."""
