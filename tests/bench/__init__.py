"""What Kept costs, measured: each script measures one thing beside what it cannot be faster than, and writes its section of
docs/benchmarks.md. `make bench` runs all of them; `--quick` runs any of them in seconds, and writes nothing."""
