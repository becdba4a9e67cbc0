"""What every other room uses: errors, files, logs, names, settings, fingerprints."""
