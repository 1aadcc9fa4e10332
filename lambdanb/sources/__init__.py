"""Event sources: streams and queues whose records run functions.

A process of its own, a client of the executor, which starts it when there is an enabled event source mapping. Each
mapping has pollers of its own, so that none waits for another.

What is decided stands apart from what is done. Decided, from plain data with the times handed in: which records make a
batch (`batching`), in which order and behind which checkpoint (`progress`), what follows a failure (`attempts`), what a
function's answer means (`answers`), which shards may be read (`lineage`), what an event looks like (`records`,
`filtering`). Done: reading (`kinesis`, `dynamodb`, `queues`), invoking (`lanes`, `queue_mapping`), telling of what was
given up (`destinations`), keeping checkpoints (`checkpoints`).
"""
