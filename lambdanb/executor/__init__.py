"""The executor: a process of one thread that places invocations and owns queues, deadlines, logs, records, registry."""
