"""Load tests, tuning and figures. Nothing heavy is imported before it is used: name the file that you want."""
