"""The soak: a whole installation at half of what it bears, for as long as one likes, with short faults now and then.

What is looked for is what grows: memory, open files, tasks. `python -m tests.soak --minutes 60`.
"""
