"""What runs inside an execution environment: zygote, init, and the Python bootstrap. As few imports as can be."""
