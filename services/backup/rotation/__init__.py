"""Rotation: after it no older backup's keys can be unwrapped, and nobody alive needs them: a drill has shown it."""
