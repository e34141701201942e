# Commands of the project, for `just` (https://just.systems). Each is one line that also works by itself.

python := if os_family() == "windows" { ".venv/Scripts/python" } else { ".venv/bin/python" }

# Serve on port 9880.
run *arguments:
    python run.py {{arguments}}

# Run every check, as CI does.
test *arguments:
    python run.py test {{arguments}}

# Run ruff, mypy and the unit tests: about a minute.
fast *arguments:
    python run.py test --fast {{arguments}}

# Format and lint.
lint:
    {{python}} -m ruff format .
    {{python}} -m ruff check --fix .
    {{python}} -m mypy

# Report the coverage of the unit tests.
coverage:
    {{python}} -m pytest tests/unit --cov=kokoro_server --cov-report=term

# Show the documentation, and render the pages that come from the code.
docs:
    {{python}} -m docs.generate
    {{python}} -m mkdocs serve

# Measure this server beside others on this machine.
bench *arguments:
    {{python}} -m benchmarks {{arguments}}

# Measure how the code is written.
metrics *arguments:
    {{python}} -m tools.metrics {{arguments}}
