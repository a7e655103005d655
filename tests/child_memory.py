"""How much memory a child process took at most."""

PEAK = '''
def peak():
    """Kilobytes in use at most, so far, by this process alone: what getrusage says begins with its parent's."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
'''
"""Python for the beginning of a child's program; Linux only."""
