"""What crosses a file, a process or a cable: frozen dataclasses as JSON or TOML, read strictly.

What the records mean is written beside their dataclasses.
"""
