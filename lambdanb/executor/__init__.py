"""The executor: a process of one thread that places invocations, owns queues, deadlines, logs, records, the registry."""
