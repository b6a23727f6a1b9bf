"""Run CPython's own `test_asyncio` on another event loop.

Theory of operation. The interpreter's `test` package brings some 2,400 tests of asyncio. They
make their loops by asyncio's names: `asyncio.new_event_loop()`, `asyncio.SelectorEventLoop(...)`,
`asyncio.BaseEventLoop()`. So a test runs on our loop when those names give ours:

    install.py      lets asyncio's names give our loop, and counts the loops made
    worker.py       runs one test module in a process of its own, one line of JSON per event
    runner.py       starts the workers, outlives their crashes and hangs, judges what they say
    pythons.py      finds interpreters with a `test` package, and installs the project for each
    exclusions.py   the tests that cannot apply, each with its reason
    report.py       the table
    __main__.py     the command line: `python -m conformance --help`

What keeps the result honest:

- A test counts as *on our loop* only if a loop of ours was made while it ran. Many tests are about
  tasks over a fake loop, or about asyncio's own classes; they run as well, but are counted apart.
- An excluded test is still run, alone. If it passes, its exclusion is stale and the run fails.
- Compiled means that compiled modules were really imported, pure that none was.
- A descriptor or an exception nobody saw that a module leaves behind is a failure too.
- `--factory asyncio:SelectorEventLoop` runs the same on the stock loop: whatever fails there fails
  because of the machine or of CPython.
"""
