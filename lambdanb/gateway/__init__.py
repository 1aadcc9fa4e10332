"""The gateway: AWS's own API on one loopback address, for boto3, the AWS CLI and whatever else speaks it.

A process of its own, a client of the executor (`link`), started by it when somebody asks for the endpoint. It keeps
nothing that matters: what a request changes is in the executor's registry when the answer leaves, so the gateway may be
killed at any time.

`front` decides what a request is and who sent it; botocore's service model says which operation it is (`routes`), what
its members are (`shapes`) and which values are allowed (`constraints`); the families of operations (`functions`,
`invoke`, `aliases`, ...) do it.
"""
