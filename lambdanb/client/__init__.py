"""The client: functions as objects, and the connection to the executor, which it starts when there is none."""
