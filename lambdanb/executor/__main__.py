"""`python -m lambdanb.executor HOME DESCRIPTOR`: the executor of a home. Started by its first client.

It forks at once, so that its starter has no child to wait for, and then says on the descriptor "ready" when it listens,
"busy" when the home has an executor already, or "failed: " and why; its log tells more.
"""

import os
import sys


def main() -> None:
    """Be the executor of this home, if it has none."""
    import fcntl
    import resource
    from pathlib import Path

    home, starter = Path(sys.argv[1]), int(sys.argv[2])
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(home / "executor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.write(starter, b"busy")
            return
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())

        os.set_inheritable(starter, False)
        from lambdanb.sandbox.probe import begin_trial

        # What this machine can do is tried while the rest is imported.
        trial = begin_trial()
        from lambdanb.executor.executor import Executor
        from lambdanb.executor.times import Times

        # Each environment takes some eight descriptors; the usual soft limit of 1,024 would end at 120 of them.
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        executor = Executor(home, Times.from_environment(), trial)
    except BaseException as error:
        os.write(starter, f"failed: {type(error).__name__}: {error}".encode(errors="replace")[:4096])
        raise
    os.write(starter, b"ready")
    os.close(starter)
    executor.run()


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    main()
