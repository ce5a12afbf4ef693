"""What a backup is on disk: names, label, manifest, drill report. Pure; see docs/formats/backup.md."""
