"""`python -m lambdanb.runtime DESCRIPTOR`: a zygote. Started by the executor, never by hand."""

import sys

from lambdanb.runtime.zygote import main

main(int(sys.argv[1]))
