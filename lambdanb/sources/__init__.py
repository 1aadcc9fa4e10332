"""Event sources: the services whose changes invoke functions, and what reads them.

`emulator` is the process that keeps S3, DynamoDB, Kinesis, SQS, SNS, EventBridge, IAM and STS up where no other
endpoint was named; `emulated` is the one that it looks after.

Streams and queues are read by a process of its own, a client of the executor, which starts it when there is an enabled
event source mapping. Each mapping has pollers of its own, so that none waits for another.

What is decided stands apart from what is done. Decided, from plain data with the times handed in: which records make a
batch (`batching`), in which order and behind which checkpoint (`progress`), what follows a failure (`attempts`), what a
function's answer means (`answers`), which shards may be read (`lineage`), what an event looks like (`records`), how
often to ask (`pace`). Done: reading (`streams`, `shard_run`, `queue_mapping`), invoking (`lanes`, `invoking`), telling
of what was given up (`destinations`), keeping checkpoints (`checkpoints`). `keeper` begins and stops a mapping.
"""
